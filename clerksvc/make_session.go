package clerksvc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"clerkql/internal/secret"
)

// createSession makes a session through the Backend API. Two calls.
func (s *Service) createSession(ctx context.Context, userID string) (*Session, error) {
	created, err := s.api.CreateSession(ctx, userID)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	token, err := s.api.CreateSessionToken(ctx, created.ID)
	if err != nil {
		return nil, s.endUnusedSession(ctx, created.ID, err)
	}
	return s.session(ctx, userID, created.ID, time.UnixMilli(created.ExpireAt), token)
}

// issueTicket makes a ticket for one of Clerk's SDKs. One call.
func (s *Service) issueTicket(ctx context.Context, userID string) (*Ticket, error) {
	expires := s.now().Add(s.ticketLife)
	ticket, err := s.api.CreateSignInToken(ctx, userID, s.ticketLife)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	return &Ticket{Token: ticket.Token, ExpiresAt: expires}, nil
}

// exchangeTicket makes a ticket and redeems it at the Frontend API, as one of Clerk's SDKs would. Two calls, or three if the answer
// has no session token. A ticket that was not redeemed is revoked.
func (s *Service) exchangeTicket(ctx context.Context, userID string, client Client) (*Session, error) {
	ticket, err := s.api.CreateSignInToken(ctx, userID, s.ticketLife)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	redeemed, err := s.frontend.CreateSignIn(ctx, client, ticket.Token)
	if err != nil {
		return nil, s.revokeTicket(ctx, ticket.ID, err)
	}
	if redeemed.UserID != userID {
		err = &ClerkError{Operation: operationFrontendCreateSignIn, cause: errors.New("the session is somebody else's")}
		return nil, s.endUnusedSession(ctx, redeemed.SessionID, err)
	}
	token := redeemed.SessionToken
	if token.Reveal() == "" {
		if token, err = s.frontend.CreateSessionToken(ctx, client, redeemed); err != nil {
			return nil, s.endUnusedSession(ctx, redeemed.SessionID, err)
		}
	}
	return s.session(ctx, userID, redeemed.SessionID, redeemed.SessionExpiresAt, token)
}

// session puts a session and its token together.
func (s *Service) session(ctx context.Context, userID, sessionID string, expires time.Time, token secret.String) (*Session, error) {
	tokenExpires, err := tokenExpiry(token)
	if err != nil {
		return nil, s.endUnusedSession(ctx, sessionID, err)
	}
	refresh, err := s.keys.Seal(purposeRefresh, refreshHandle{UserID: userID, SessionID: sessionID}, expires)
	if err != nil {
		return nil, s.endUnusedSession(ctx, sessionID, err)
	}
	return &Session{
		ID:           sessionID,
		ExpiresAt:    expires.UTC(),
		SessionToken: SessionToken{Token: token, TokenExpiresAt: tokenExpires},
		RefreshToken: secret.New(refresh),
	}, nil
}

// cleanUpTimeout bounds the one call that cleans up after a mutation that failed, which may have used up its own time.
const cleanUpTimeout = 5 * time.Second

func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
}

// endUnusedSession ends a session that nobody got a token for, as far as Clerk can be reached, and returns the outcome of
// what failed.
func (s *Service) endUnusedSession(ctx context.Context, sessionID string, failed error) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if _, err := s.api.RevokeSession(ctx, sessionID); err != nil {
		_ = s.outcome(ctx, err) // logs it; the user is told what failed first
	}
	return s.outcome(ctx, failed)
}

// revokeTicket makes a ticket that was not redeemed worthless, as far as Clerk can be reached, and returns the outcome of what
// failed. If the ticket was redeemed and only the answer is lost, there is a session that nobody holds: nothing tells its id.
func (s *Service) revokeTicket(ctx context.Context, ticketID string, failed error) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	switch err := s.api.RevokeSignInToken(ctx, ticketID); {
	case hasCode(err, "sign_in_token_cannot_be_revoked_code"):
		s.log.WarnContext(ctx, "a session was made that nobody holds", slog.String("sign_in_token", ticketID))
	case err != nil:
		_ = s.outcome(ctx, err) // logs it; the user is told what failed first
	}
	return s.outcome(ctx, failed)
}

// tokenExpiry reads when a token that Clerk just gave us expires. Where it came from makes checking its signature
// needless. The error is a *ClerkError.
func tokenExpiry(token secret.String) (time.Time, error) {
	unreadable := &ClerkError{Operation: "CreateSessionToken", cause: errUnreadable}
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return time.Time{}, unreadable
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, unreadable
	}
	var claims struct {
		Expiry *jwt.NumericDate `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Expiry == nil {
		return time.Time{}, unreadable
	}
	return claims.Expiry.Time().UTC(), nil
}
