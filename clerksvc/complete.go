package clerksvc

import (
	"context"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"clerkql/internal/secret"
)

// SignedIn is the success of every flow that signs in. Exactly one of Session and Ticket is set, by session mode.
type SignedIn struct {
	UserID  string
	Session *Session
	Ticket  *Ticket
}

// Session is a session at Clerk with a token for it.
type Session struct {
	ID        string
	ExpiresAt time.Time
	Token     secret.String
	// TokenExpiresAt is when Token stops being good, which is long before the session ends.
	TokenExpiresAt time.Time
}

// Ticket is a sign-in token.
type Ticket struct {
	Token     secret.String
	ExpiresAt time.Time
}

// ticketLife is how long a ticket can be redeemed. It passes every check at Clerk, so it lives just long enough
// to get there.
const ticketLife = time.Minute

// SecondFactor is a second factor. Its values are those of the enum SecondFactorStrategy in schema.graphqls.
type SecondFactor string

// The second factors that the Backend API can check.
const (
	SecondFactorTOTP       SecondFactor = "TOTP"
	SecondFactorBackupCode SecondFactor = "BACKUP_CODE"
)

// complete ends a flow in which everything but the second factor is proved. account must have been read from Clerk in
// this flow. It is where rules 1 and 6 are kept: no session for who is barred, none without the second factor.
func (s *Service) complete(ctx context.Context, account *User) (*SignedIn, error) {
	if err := barred(account); err != nil {
		return nil, err
	}
	if needsSecondFactor(account) {
		return nil, s.secondFactorRequired(account)
	}
	return s.signIn(ctx, account.ID)
}

// needsSecondFactor reports whether an account has a second factor, be it one that the Backend API can't check.
func needsSecondFactor(u *User) bool { return u.TwoFactorEnabled || u.TOTPEnabled }

// barred returns the outcome for a user who may not sign in, or nil. Clerk's Backend API does not ask.
func barred(u *User) error {
	switch {
	case u.Banned || u.Deprovisioned:
		return ErrAccountBanned
	case u.Locked && u.LockoutExpiresInSeconds != nil:
		remaining := time.Duration(*u.LockoutExpiresInSeconds) * time.Second
		return &AccountLockedError{RetryAfter: &remaining}
	case u.Locked:
		return &AccountLockedError{}
	default:
		return nil
	}
}

func (s *Service) secondFactorRequired(account *User) error {
	handle, err := s.keys.Seal(purposeSecondFactor, secondFactorHandle{UserID: account.ID}, s.now().Add(signInLife))
	if err != nil {
		return err
	}
	var steps []SecondFactor
	if account.TOTPEnabled {
		steps = append(steps, SecondFactorTOTP)
	}
	if account.BackupCodeEnabled {
		steps = append(steps, SecondFactorBackupCode)
	}
	return &SecondFactorRequiredError{SignInID: handle, NextSteps: steps}
}

// signIn makes the session or the ticket. Nothing is checked here: it is called when every proof is there.
func (s *Service) signIn(ctx context.Context, userID string) (*SignedIn, error) {
	if s.mode == ModeTicket {
		ticket, err := s.api.CreateSignInToken(ctx, userID, ticketLife)
		if err != nil {
			return nil, s.outcome(ctx, err)
		}
		return &SignedIn{UserID: userID, Ticket: &Ticket{Token: ticket.Token, ExpiresAt: s.now().Add(ticketLife)}}, nil
	}
	session, err := s.api.CreateSession(ctx, userID)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	token, err := s.api.CreateSessionToken(ctx, session.ID)
	if err != nil {
		return nil, s.endUnusedSession(ctx, session.ID, err)
	}
	expires, err := tokenExpiry(token)
	if err != nil {
		return nil, s.endUnusedSession(ctx, session.ID, &ClerkError{Operation: "CreateSessionToken", cause: errUnreadable})
	}
	return &SignedIn{UserID: userID, Session: &Session{
		ID:             session.ID,
		ExpiresAt:      time.UnixMilli(session.ExpireAt).UTC(),
		Token:          token,
		TokenExpiresAt: expires,
	}}, nil
}

// endUnusedSession ends a session that nobody got a token for, as far as Clerk can be reached, and returns the outcome of
// what failed.
func (s *Service) endUnusedSession(ctx context.Context, sessionID string, failed error) error {
	ctx, cancel := s.begin(ctx) // what failed may have used up the mutation's time
	defer cancel()
	if _, err := s.api.RevokeSession(ctx, sessionID); err != nil {
		_ = s.outcome(ctx, err) // logs it; the user is told what failed first
	}
	return s.outcome(ctx, failed)
}

// tokenExpiry reads when a token that Clerk just gave us expires. Where it came from makes checking its signature
// needless.
func tokenExpiry(token secret.String) (time.Time, error) {
	parsed, err := parseToken(token)
	if err != nil {
		return time.Time{}, err
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return time.Time{}, err
	}
	if claims.Expiry == nil {
		return time.Time{}, errUnreadable
	}
	return claims.Expiry.Time().UTC(), nil
}
