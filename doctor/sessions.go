package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// ticketLife is how long the ticket is good for, should it not be revoked.
const ticketLife = time.Minute

// errStillActive: Clerk answered that it revoked a session, and the session is active.
var errStillActive = errors.New("the session is active after it was revoked")

// sessionMode signs the user in, in the way that is configured, and out again.
func (e *examination) sessionMode(ctx context.Context) finding {
	var (
		found string
		err   error
	)
	switch e.SessionMode {
	case clerksvc.ModeTicket:
		found, err = "a ticket was made and revoked", e.tryTicket(ctx)
	case clerksvc.ModeExchange:
		found = "a ticket was redeemed, the session's tokens verified, the session revoked, and so was another ticket"
		if err = e.tryExchange(ctx); err == nil {
			err = e.tryTicket(ctx)
		}
	default:
		found, err = "a session was made, its token verified, and the session revoked", e.trySession(ctx)
	}
	if err != nil {
		f := explain(err)
		f.text = fmt.Sprintf("%s: %s", e.SessionMode, f.text)
		return f
	}
	e.signedIn = true
	return ok("%s: %s", e.SessionMode, found)
}

func (e *examination) trySession(ctx context.Context) error {
	e.mayBeSession = true
	session, err := e.API.CreateSession(ctx, e.userID)
	if err != nil {
		return err
	}
	token, err := e.API.CreateSessionToken(ctx, session.ID)
	if err != nil {
		return err
	}
	return e.finishSession(ctx, session.ID, token)
}

func (e *examination) tryTicket(ctx context.Context) error {
	ticket, err := e.API.CreateSignInToken(ctx, e.userID, ticketLife)
	if err != nil {
		return err
	}
	e.ticketID = ticket.ID
	if err := e.API.RevokeSignInToken(ctx, ticket.ID); err != nil {
		return err
	}
	e.ticketID = ""
	return nil
}

func (e *examination) tryExchange(ctx context.Context) error {
	// Behind a proxy Clerk is told the client's address, and that is this machine.
	client := clerksvc.Client{IP: "127.0.0.1", UserAgent: "clerkql doctor"}
	ticket, err := e.API.CreateSignInToken(ctx, e.userID, ticketLife)
	if err != nil {
		return err
	}
	e.ticketID, e.mayBeSession = ticket.ID, true
	redeemed, err := e.FrontendAPI.CreateSignIn(ctx, client, ticket.Token)
	if err != nil {
		return err
	}
	e.ticketID = ""
	token := redeemed.SessionToken
	if token.Reveal() == "" {
		if token, err = e.FrontendAPI.CreateSessionToken(ctx, client, redeemed); err != nil {
			return err
		}
	}
	if err := e.verify(ctx, redeemed.SessionID, token); err != nil {
		return err
	}
	refreshed, err := e.API.CreateSessionToken(ctx, redeemed.SessionID)
	if err != nil {
		return err
	}
	return e.finishSession(ctx, redeemed.SessionID, refreshed)
}

// verify verifies a token of a session.
func (e *examination) verify(ctx context.Context, sessionID string, token secret.String) error {
	viewer, err := e.Viewer(ctx, clerksvc.Client{}, token)
	if err != nil {
		return err
	}
	if viewer.UserID != e.userID || viewer.SessionID != sessionID {
		return fmt.Errorf("%w: it is of another user or session", clerksvc.ErrSessionTokenInvalid)
	}
	return nil
}

// finishSession verifies a token of a session, and revokes the session.
func (e *examination) finishSession(ctx context.Context, sessionID string, token secret.String) error {
	if err := e.verify(ctx, sessionID, token); err != nil {
		return err
	}
	revoked, err := e.API.RevokeSession(ctx, sessionID)
	if err != nil {
		return err
	}
	if revoked.Status == "active" {
		return errStillActive
	}
	e.mayBeSession = false
	return nil
}

// endSessions ends what a check left: a ticket that was not redeemed, and every session of the user. What it can't end, ends with
// the user, or else by its age.
func (e *examination) endSessions(ctx context.Context) {
	if e.ticketID != "" {
		_ = e.API.RevokeSignInToken(ctx, e.ticketID) // fails if it was redeemed after all
	}
	if !e.mayBeSession {
		return
	}
	sessions, _ := e.API.ListSessions(ctx, e.userID)
	for _, session := range sessions {
		_, _ = e.API.RevokeSession(ctx, session.ID)
	}
}
