package resolvers

import (
	"clerkql/clerksvc"
	"clerkql/graph/model"
)

// signedInMember is a member of every union whose success is a session.
type signedInMember interface {
	model.VerifyEmailResult
	model.SignInResult
	model.ResetPasswordResult
}

// sessionMember returns the form of success that the session mode made.
func sessionMember(signedIn *clerksvc.SignedIn) signedInMember {
	if signedIn.Ticket != nil {
		return model.SignInTicketIssued{
			UserID:    signedIn.UserID,
			Ticket:    signedIn.Ticket.Token.Reveal(),
			ExpiresAt: signedIn.Ticket.ExpiresAt,
		}
	}
	return model.SessionCreated{
		SessionID:        signedIn.Session.ID,
		UserID:           signedIn.UserID,
		SessionToken:     signedIn.Session.Token.Reveal(),
		ExpiresAt:        signedIn.Session.TokenExpiresAt,
		SessionExpiresAt: signedIn.Session.ExpiresAt,
	}
}
