package clerkemu

import (
	"slices"
	"time"
)

// user is the record of one user. Metadata maps are never changed in place:
// an update replaces them, so that answers may be encoded without the lock.
type user struct {
	id                string
	externalID        *string
	firstName         *string
	lastName          *string
	locale            *string
	passwordHash      []byte // nil: no password
	passwordUpdatedAt time.Time
	totpSecret        string // empty: TOTP is off
	backupCodes       []string
	mfaEnabledAt      time.Time
	banned            bool
	deprovisioned     bool
	lockout           lockout
	publicMetadata    map[string]any
	privateMetadata   map[string]any
	unsafeMetadata    map[string]any
	deleteSelf        bool
	createOrg         bool
	createOrgLimit    *int64
	bypassClientTrust bool
	legalAcceptedAt   time.Time
	lastSignInAt      time.Time
	lastActiveAt      time.Time
	createdAt         time.Time
	updatedAt         time.Time

	emails         []*emailAddress
	primaryEmail   *emailAddress
	sessions       []*session
	signInTokens   []*signInToken
	metadataWindow window // UpdateUserMetadata has a rate limit per user
}

// lockout says whether a user is locked, and until when.
type lockout struct {
	on    bool
	until time.Time // zero: until unlocked
}

func (l lockout) lockedAt(now time.Time) bool {
	return l.on && (l.until.IsZero() || now.Before(l.until))
}

// revokeSessions ends every active session of the user.
func (u *user) revokeSessions(now time.Time) {
	for _, sess := range u.sessions {
		if sess.statusAt(now) == statusActive {
			sess.status = statusRevoked
			sess.updatedAt = now
		}
	}
}

// emailAddress is an identification of a user.
//
// Its state is one of: verified; reserved (unverified, but nobody else may
// take it); or unverified (anyone may still take it).
type emailAddress struct {
	id            string
	address       string // as normalizeEmail left it
	owner         *user
	verification  *addressVerification // nil: never verified
	reserved      bool
	verifications []*verification
	lastCodeAt    time.Time
	createdAt     time.Time
	updatedAt     time.Time
}

// addressVerification is how an address came to be verified.
type addressVerification struct {
	object   string
	strategy string
	attempts *int
	expireAt *int64
}

func (e *emailAddress) verified() bool { return e.verification != nil }

// claims tells whether the address is closed to other users.
func (e *emailAddress) claims() bool { return e.verified() || e.reserved }

func (e *emailAddress) verificationByID(id string) *verification {
	i := slices.IndexFunc(e.verifications, func(v *verification) bool { return v.id == id })
	if i < 0 {
		return nil
	}
	return e.verifications[i]
}

// Session states that the emulator reaches.
const (
	statusActive  = "active"
	statusRevoked = "revoked"
	statusExpired = "expired"
)

type session struct {
	id           string
	client       *client
	owner        *user
	status       string
	activity     *activity // nil: made with the Backend API
	lastActiveAt time.Time
	expireAt     time.Time
	abandonAt    time.Time
	createdAt    time.Time
	updatedAt    time.Time
}

func (s *session) statusAt(now time.Time) string {
	if s.status == statusActive && !now.Before(s.expireAt) {
		return statusExpired
	}
	return s.status
}

// client is a device or browser, which sessions belong to. It is kept as long
// as one of its sessions is.
type client struct {
	id        string
	rotation  string // what only its newest token names
	sessions  []*session
	createdAt time.Time
	updatedAt time.Time
}

func newClient(now time.Time) *client {
	return &client{id: newID(prefixClient), createdAt: now, updatedAt: now}
}

// activeSession is the one session of the client that is active, or nil.
func (c *client) activeSession(now time.Time) *session {
	i := slices.IndexFunc(c.sessions, func(s *session) bool { return s.statusAt(now) == statusActive })
	if i < 0 {
		return nil
	}
	return c.sessions[i]
}

// Sign-in token states that the emulator reaches, besides statusRevoked.
const (
	statusPending  = "pending"
	statusAccepted = "accepted"
)

type signInToken struct {
	id        string
	owner     *user
	status    string
	expireAt  time.Time
	createdAt time.Time
	updatedAt time.Time
}
