package clerkemu

import (
	"slices"
	"strings"
	"time"
)

// User is a snapshot of a user: what a test wants to know, at the moment of
// asking.
type User struct {
	ID string `json:"id"`
	// EmailAddress, EmailAddressID, Verified and Reserved are those of the
	// primary address.
	EmailAddress      string         `json:"emailAddress"`
	EmailAddressID    string         `json:"emailAddressId"`
	Verified          bool           `json:"verified"`
	Reserved          bool           `json:"reserved"`
	EmailAddresses    []EmailAddress `json:"emailAddresses"`
	FirstName         string         `json:"firstName"`
	LastName          string         `json:"lastName"`
	ExternalID        string         `json:"externalId"`
	PasswordEnabled   bool           `json:"passwordEnabled"`
	PasswordUpdatedAt time.Time      `json:"passwordUpdatedAt"` // zero: never
	TOTPEnabled       bool           `json:"totpEnabled"`
	BackupCodes       int            `json:"backupCodes"` // how many are left
	Banned            bool           `json:"banned"`
	Locked            bool           `json:"locked"`
	Deprovisioned     bool           `json:"deprovisioned"`
	PublicMetadata    map[string]any `json:"publicMetadata"`
	PrivateMetadata   map[string]any `json:"privateMetadata"`
	UnsafeMetadata    map[string]any `json:"unsafeMetadata"`
	LastSignInAt      time.Time      `json:"lastSignInAt"` // zero: never
	CreatedAt         time.Time      `json:"createdAt"`
	UpdatedAt         time.Time      `json:"updatedAt"`
}

// EmailAddress is a snapshot of an address of a user.
type EmailAddress struct {
	ID           string `json:"id"`
	EmailAddress string `json:"emailAddress"`
	Verified     bool   `json:"verified"`
	Reserved     bool   `json:"reserved"`
}

// Session is a snapshot of a session.
type Session struct {
	ID           string    `json:"id"`
	UserID       string    `json:"userId"`
	Status       string    `json:"status"`
	LastActiveAt time.Time `json:"lastActiveAt"`
	// IPAddress and Browser are those of the client that signed in with the
	// Frontend API. Browser is a name such as "Chrome". Empty: unknown.
	IPAddress string    `json:"ipAddress"`
	Browser   string    `json:"browser"`
	CreatedAt time.Time `json:"createdAt"`
	ExpireAt  time.Time `json:"expireAt"`
}

// SignInToken is a snapshot of a sign-in token, without the token itself.
type SignInToken struct {
	ID        string    `json:"id"`
	UserID    string    `json:"userId"`
	Status    string    `json:"status"` // "pending", "accepted" or "revoked"
	CreatedAt time.Time `json:"createdAt"`
	ExpireAt  time.Time `json:"expireAt"`
}

// UserByEmail finds the user who holds an address, in any case: the one who
// verified or reserved it, else the first who added it.
func (s *Server) UserByEmail(address string) (User, bool) {
	address = strings.ToLower(address)
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if e := s.store.claims[address]; e != nil {
		return s.snapshot(e.owner), true
	}
	if list := s.store.byAddress[address]; len(list) > 0 {
		return s.snapshot(list[0].owner), true
	}
	return User{}, false
}

// UserByID finds a user by id.
func (s *Server) UserByID(id string) (User, bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u := s.store.users[id]
	if u == nil {
		return User{}, false
	}
	return s.snapshot(u), true
}

// Users returns all users, oldest first.
func (s *Server) Users() []User {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	list := make([]User, len(s.store.byAge))
	for i, u := range s.store.byAge {
		list[i] = s.snapshot(u)
	}
	return list
}

// Sessions returns the sessions of a user, oldest first.
func (s *Server) Sessions(userID string) []Session {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	now := s.clock.Now()
	list := []Session{}
	for _, sess := range s.store.sessionsOf(userID, "") {
		snapshot := Session{
			ID: sess.id, UserID: userID, Status: sess.statusAt(now), LastActiveAt: sess.lastActiveAt,
			CreatedAt: sess.createdAt, ExpireAt: sess.expireAt,
		}
		if a := sess.activity; a != nil {
			snapshot.IPAddress, snapshot.Browser = a.ipAddress, a.browserName
		}
		list = append(list, snapshot)
	}
	return list
}

// SignInTokens returns the sign-in tokens of a user, oldest first.
func (s *Server) SignInTokens(userID string) []SignInToken {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	list := []SignInToken{}
	if u := s.store.users[userID]; u != nil {
		for _, t := range u.signInTokens {
			list = append(list, SignInToken{
				ID: t.id, UserID: userID, Status: t.status, CreatedAt: t.createdAt, ExpireAt: t.expireAt,
			})
		}
	}
	return list
}

// snapshot copies a user. The store must be locked.
func (s *Server) snapshot(u *user) User {
	out := User{
		ID:                u.id,
		FirstName:         textOf(u.firstName),
		LastName:          textOf(u.lastName),
		ExternalID:        textOf(u.externalID),
		EmailAddresses:    make([]EmailAddress, len(u.emails)),
		PasswordEnabled:   u.passwordHash != nil,
		PasswordUpdatedAt: u.passwordUpdatedAt,
		TOTPEnabled:       u.totpSecret != "",
		BackupCodes:       len(u.backupCodes),
		Banned:            u.banned,
		Locked:            u.lockout.lockedAt(s.clock.Now()),
		Deprovisioned:     u.deprovisioned,
		PublicMetadata:    copyMetadata(u.publicMetadata),
		PrivateMetadata:   copyMetadata(u.privateMetadata),
		UnsafeMetadata:    copyMetadata(u.unsafeMetadata),
		LastSignInAt:      u.lastSignInAt,
		CreatedAt:         u.createdAt,
		UpdatedAt:         u.updatedAt,
	}
	for i, e := range u.emails {
		out.EmailAddresses[i] = EmailAddress{ID: e.id, EmailAddress: e.address, Verified: e.verified(), Reserved: e.reserved}
	}
	if e := u.primaryEmail; e != nil {
		out.EmailAddress, out.EmailAddressID, out.Verified, out.Reserved = e.address, e.id, e.verified(), e.reserved
	}
	return out
}

// copyMetadata copies JSON values deeply, so that a caller's change to a
// snapshot, or to what it seeded, does not reach the store.
func copyMetadata(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = copyJSON(value)
	}
	return out
}

func copyJSON(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return copyMetadata(v)
	case []any:
		list := slices.Clone(v)
		for i := range list {
			list[i] = copyJSON(list[i])
		}
		return list
	}
	return value
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
