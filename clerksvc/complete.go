package clerksvc

import (
	"context"
	"time"

	"clerkql/internal/secret"
)

// Client is who asks, as far as Clerk may know.
type Client struct {
	// IP is the client's address. Clerk's Frontend API counts sign-ins by it.
	IP string
	// UserAgent is what the client calls itself. Clerk lists it with the session.
	UserAgent string
}

// SignedIn is the success of every flow that signs in. Exactly one of Session and Ticket is set, by session mode.
type SignedIn struct {
	UserID  string
	Session *Session
	Ticket  *Ticket
	// Device is set where new devices are checked and more than a password was proved.
	Device *Device
}

// Session is a session at Clerk with a token for it.
type Session struct {
	ID        string
	ExpiresAt time.Time
	SessionToken
	// RefreshToken is what RefreshSession and SignOut want to know.
	RefreshToken secret.String
}

// SessionToken is a session token of Clerk's.
type SessionToken struct {
	Token secret.String
	// TokenExpiresAt is when Token stops being good, which is long before the session ends.
	TokenExpiresAt time.Time
}

// Ticket is a sign-in token.
type Ticket struct {
	Token     secret.String
	ExpiresAt time.Time
}

// Device is what makes a device a known one.
type Device struct {
	Token     secret.String
	ExpiresAt time.Time
}

// proof is what a flow has proved when it comes to its end. That the first factor was, goes without saying.
type proof struct {
	client Client
	// lookedAt is when the account was read, or earlier.
	lookedAt time.Time
	// emailAddressID is the address that identified the account, and identifier its pseudonym.
	emailAddressID, identifier string
	// secondFactor: one of the account's own was proved.
	secondFactor bool
	// mailbox: a code that was mailed to the account was entered.
	mailbox bool
	// knownDevice: the device has proved more than a password before.
	knownDevice bool
}

// complete ends a flow in which everything but the second factor is proved, and the second factor where p says so. account
// must have been read from Clerk in this flow. It is where rules 1 and 6 are kept: no session for who is barred, none without
// the second factor.
func (s *Service) complete(ctx context.Context, account *User, p proof) (*SignedIn, error) {
	if err := barred(account); err != nil {
		return nil, err
	}
	switch {
	case needsSecondFactor(account) && !p.secondFactor:
		return nil, s.secondFactorRequired(account, p)
	case s.checkNewDevices && !p.mailbox && !p.secondFactor && !p.knownDevice:
		return nil, s.emailCodeRequired(account, p)
	}
	return s.signIn(ctx, account.ID, passwordUpdatedAt(account), p)
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

// signIn makes the session or the ticket, and makes the client known, and the device if more than a password was proved on it. Nothing is
// checked here: it is called when every proof is there.
func (s *Service) signIn(ctx context.Context, userID string, passwordUpdatedAt int64, p proof) (*SignedIn, error) {
	signedIn := &SignedIn{UserID: userID}
	if s.checkNewDevices && (p.mailbox || p.secondFactor) {
		device, err := s.knowDevice(userID, passwordUpdatedAt)
		if err != nil {
			return nil, err
		}
		signedIn.Device = device
	}
	var err error
	switch s.mode {
	case ModeTicket:
		signedIn.Ticket, err = s.issueTicket(ctx, userID)
	case ModeExchange:
		signedIn.Session, err = s.exchangeTicket(ctx, userID, p.client)
	default:
		signedIn.Session, err = s.createSession(ctx, userID)
	}
	if err != nil {
		return nil, err
	}
	s.limiter.know(ctx, p.client, p.identifier)
	return signedIn, nil
}
