package resolvers

import (
	"context"

	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// SignUp resolves Mutation.signUp.
func (m mutation) SignUp(ctx context.Context, input model.SignUpInput) (model.SignUpResult, error) {
	started, err := m.service.SignUp(ctx, clerksvc.SignUpInput{
		Client:    client(ctx),
		Email:     input.Email,
		Password:  input.Password,
		FirstName: input.FirstName,
		LastName:  input.LastName,
	})
	return result(ctx, m.log, err, func() model.SignUpResult {
		return model.VerificationRequired{
			UserID:         optionalText(started.UserID),
			EmailAddressID: started.EmailAddressID,
			VerificationID: started.VerificationID,
			ExpiresAt:      started.ExpiresAt,
		}
	})
}

// VerifyEmail resolves Mutation.verifyEmail.
func (m mutation) VerifyEmail(ctx context.Context, input model.VerifyEmailInput) (model.VerifyEmailResult, error) {
	signedIn, err := m.service.VerifyEmail(ctx, clerksvc.VerifyEmailInput{
		Client:         client(ctx),
		EmailAddressID: input.EmailAddressID,
		VerificationID: input.VerificationID,
		Code:           input.Code,
	})
	return result(ctx, m.log, err, func() model.VerifyEmailResult { return sessionMember(ctx, signedIn) })
}

// ResendVerification resolves Mutation.resendVerification.
func (m mutation) ResendVerification(ctx context.Context, input model.ResendVerificationInput) (model.ResendVerificationResult, error) {
	sent, err := m.service.ResendVerification(ctx, client(ctx), input.EmailAddressID)
	return result(ctx, m.log, err, func() model.ResendVerificationResult {
		return model.VerificationSent{VerificationID: sent.VerificationID, ExpiresAt: sent.ExpiresAt}
	})
}
