package resolvers

import (
	"context"

	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// RequestPasswordReset resolves Mutation.requestPasswordReset.
func (m mutation) RequestPasswordReset(ctx context.Context, input model.RequestPasswordResetInput) (model.RequestPasswordResetResult, error) {
	signInID, err := m.service.RequestPasswordReset(ctx, client(ctx), input.Email)
	return result(ctx, m.log, err, func() model.RequestPasswordResetResult {
		return model.PasswordResetSent{SignInID: signInID}
	})
}

// ResetPassword resolves Mutation.resetPassword.
func (m mutation) ResetPassword(ctx context.Context, input model.ResetPasswordInput) (model.ResetPasswordResult, error) {
	signedIn, err := m.service.ResetPassword(ctx, clerksvc.ResetPasswordInput{
		Client:      client(ctx),
		SignInID:    input.SignInID,
		Code:        input.Code,
		NewPassword: input.NewPassword,
	})
	return result(ctx, m.log, err, func() model.ResetPasswordResult { return sessionMember(ctx, signedIn) })
}

// PasswordPolicy resolves Query.passwordPolicy.
func (q query) PasswordPolicy(context.Context) (*model.PasswordPolicy, error) {
	policy := q.service.PasswordPolicy()
	answer := &model.PasswordPolicy{
		MinLength:   policy.MinLength,
		MaxLength:   policy.MaxLength,
		MaxBytes:    policy.MaxBytes,
		MinStrength: policy.MinStrength,
	}
	for _, rule := range policy.Rules() {
		answer.Rules = append(answer.Rules, model.PasswordRequirement{
			Rule:    model.PasswordRule(rule),
			Message: passwordRuleMessage(rule),
		})
	}
	return answer, nil
}
