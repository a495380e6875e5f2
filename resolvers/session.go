package resolvers

import (
	"context"
	"errors"

	"clerkql/clerksvc"
	"clerkql/graph/model"
	"clerkql/internal/cookies"
)

// signedInMember is a member of every union whose success is a session.
type signedInMember interface {
	model.VerifyEmailResult
	model.SignInResult
	model.ResetPasswordResult
	model.AttemptSecondFactorResult
}

// sessionMember returns the form of success that the session mode made.
func sessionMember(ctx context.Context, signedIn *clerksvc.SignedIn) signedInMember {
	var device *string
	if signedIn.Device != nil {
		device = forBody(ctx, cookies.Device, signedIn.Device.Token, signedIn.Device.ExpiresAt)
	}
	if signedIn.Ticket != nil {
		return model.SignInTicketIssued{
			UserID:      signedIn.UserID,
			Ticket:      signedIn.Ticket.Token.Reveal(),
			ExpiresAt:   signedIn.Ticket.ExpiresAt,
			DeviceToken: device,
		}
	}
	session := signedIn.Session
	return model.SessionCreated{
		SessionID:        session.ID,
		UserID:           signedIn.UserID,
		SessionToken:     forBody(ctx, cookies.Session, session.Token, session.TokenExpiresAt),
		ExpiresAt:        session.TokenExpiresAt,
		RefreshToken:     forBody(ctx, cookies.Refresh, session.RefreshToken, session.ExpiresAt),
		SessionExpiresAt: session.ExpiresAt,
		DeviceToken:      device,
	}
}

// RefreshSession resolves Mutation.refreshSession.
func (m mutation) RefreshSession(ctx context.Context, input *model.RefreshSessionInput) (model.RefreshSessionResult, error) {
	if input == nil {
		input = &model.RefreshSessionInput{}
	}
	refreshed, err := m.service.RefreshSession(ctx, client(ctx), refreshToken(ctx, input.RefreshToken))
	if errors.Is(err, clerksvc.ErrSessionEnded) {
		forgetSession(ctx)
	}
	return result(ctx, m.log, err, func() model.RefreshSessionResult {
		return model.SessionRefreshed{
			SessionID:    refreshed.ID,
			UserID:       refreshed.UserID,
			SessionToken: forBody(ctx, cookies.Session, refreshed.Token, refreshed.TokenExpiresAt),
			ExpiresAt:    refreshed.TokenExpiresAt,
		}
	})
}

// SignOut resolves Mutation.signOut.
func (m mutation) SignOut(ctx context.Context, input *model.SignOutInput) (model.SignOutResult, error) {
	if input == nil {
		input = &model.SignOutInput{}
	}
	token, _ := sessionToken(ctx)
	sessionID, err := m.service.SignOut(ctx, clerksvc.SignOutInput{
		Client:       client(ctx),
		RefreshToken: refreshToken(ctx, input.RefreshToken),
		SessionToken: token,
	})
	if err == nil || errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
		forgetSession(ctx)
	}
	return result(ctx, m.log, err, func() model.SignOutResult {
		return model.SignedOut{SessionID: optionalText(sessionID)}
	})
}

// SignOutEverywhere resolves Mutation.signOutEverywhere.
func (m mutation) SignOutEverywhere(ctx context.Context) (model.SignOutEverywhereResult, error) {
	token, _ := sessionToken(ctx)
	ended, err := m.service.SignOutEverywhere(ctx, client(ctx), token)
	return result(ctx, m.log, err, func() model.SignOutEverywhereResult {
		forgetSession(ctx)
		return model.SignedOutEverywhere{EndedSessions: ended}
	})
}

// RevokeSession resolves Mutation.revokeSession.
func (m mutation) RevokeSession(ctx context.Context, input model.RevokeSessionInput) (model.RevokeSessionResult, error) {
	token, _ := sessionToken(ctx)
	err := m.service.RevokeSession(ctx, client(ctx), token, input.SessionID)
	return result(ctx, m.log, err, func() model.RevokeSessionResult { return model.SessionRevoked(input) })
}
