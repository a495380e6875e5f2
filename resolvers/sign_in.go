package resolvers

import (
	"context"

	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// SignIn resolves Mutation.signIn.
func (m mutation) SignIn(ctx context.Context, input model.SignInInput) (model.SignInResult, error) {
	signedIn, err := m.service.SignIn(ctx, clerksvc.SignInInput{
		Client:      client(ctx),
		Email:       input.Email,
		Password:    input.Password,
		DeviceToken: deviceToken(ctx, input.DeviceToken),
	})
	return result(ctx, m.log, err, func() model.SignInResult { return sessionMember(ctx, signedIn) })
}
