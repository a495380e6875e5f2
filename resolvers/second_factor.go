package resolvers

import (
	"context"

	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// PrepareSecondFactor resolves Mutation.prepareSecondFactor.
func (m mutation) PrepareSecondFactor(ctx context.Context, input model.PrepareSecondFactorInput) (model.PrepareSecondFactorResult, error) {
	prepared, err := m.service.PrepareSecondFactor(ctx, client(ctx), input.SignInID, clerksvc.SecondFactor(input.Strategy))
	return result(ctx, m.log, err, func() model.PrepareSecondFactorResult {
		return model.SecondFactorPrepared{SignInID: prepared.SignInID, ExpiresAt: prepared.ExpiresAt}
	})
}

// AttemptSecondFactor resolves Mutation.attemptSecondFactor.
func (m mutation) AttemptSecondFactor(ctx context.Context, input model.AttemptSecondFactorInput) (model.AttemptSecondFactorResult, error) {
	signedIn, err := m.service.AttemptSecondFactor(ctx, clerksvc.AttemptSecondFactorInput{
		Client:   client(ctx),
		SignInID: input.SignInID,
		Strategy: clerksvc.SecondFactor(input.Strategy),
		Code:     input.Code,
	})
	return result(ctx, m.log, err, func() model.AttemptSecondFactorResult { return sessionMember(ctx, signedIn) })
}
