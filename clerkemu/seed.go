package clerkemu

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// UserSeed describes a user to put into the instance. Only EmailAddress is
// needed. The password policy is not applied.
type UserSeed struct {
	EmailAddress string `json:"emailAddress"`
	Password     string `json:"password"` // empty: none
	FirstName    string `json:"firstName"`
	LastName     string `json:"lastName"`
	ExternalID   string `json:"externalId"`
	// Reserved makes the address unverified but the user's alone. Otherwise
	// it is verified.
	Reserved bool `json:"reserved"`
	// TOTPSecret, base32, turns the second factor on.
	TOTPSecret string `json:"totpSecret"`
	// BackupCodes are plain or bcrypt digests.
	BackupCodes     []string       `json:"backupCodes"`
	Banned          bool           `json:"banned"`
	Locked          bool           `json:"locked"`
	Deprovisioned   bool           `json:"deprovisioned"`
	PublicMetadata  map[string]any `json:"publicMetadata"`
	PrivateMetadata map[string]any `json:"privateMetadata"`
	UnsafeMetadata  map[string]any `json:"unsafeMetadata"`
	CreatedAt       time.Time      `json:"createdAt"` // zero: now
}

// SeedUser puts a user into the instance without a Backend API call. It fails
// when the address is malformed or taken.
func (s *Server) SeedUser(seed UserSeed) (User, error) {
	now := s.clock.Now()
	u := newUser(now)
	address, ok := normalizeEmail(seed.EmailAddress)
	if !ok {
		return User{}, errors.New("clerkemu: seed: the email address is malformed")
	}
	e := newEmailAddress(u, address, now)
	e.reserved = seed.Reserved
	if !seed.Reserved {
		e.verification = verifiedByAdmin()
	}
	u.emails, u.primaryEmail = []*emailAddress{e}, e
	u.firstName, u.lastName = emptyToNil(&seed.FirstName), emptyToNil(&seed.LastName)
	u.externalID = emptyToNil(&seed.ExternalID)
	u.publicMetadata = copyMetadata(seed.PublicMetadata)
	u.privateMetadata = copyMetadata(seed.PrivateMetadata)
	u.unsafeMetadata = copyMetadata(seed.UnsafeMetadata)
	u.banned, u.deprovisioned = seed.Banned, seed.Deprovisioned
	if seed.Locked {
		u.lockout = s.newLockout(now)
	}
	if !seed.CreatedAt.IsZero() {
		u.createdAt = seed.CreatedAt
	}
	u.backupCodes = append(u.backupCodes, seed.BackupCodes...)
	if seed.TOTPSecret != "" {
		if !validTOTPSecret(seed.TOTPSecret) {
			return User{}, errTOTPSecret()
		}
		u.enableTOTP(seed.TOTPSecret, now)
	}
	if seed.Password != "" {
		hash, err := s.hashPassword(context.Background(), seed.Password)
		if err != nil {
			return User{}, fmt.Errorf("clerkemu: seed: %w", err)
		}
		u.passwordHash, u.passwordUpdatedAt = hash, now
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if err := s.store.addUser(u); err != nil {
		return User{}, fmt.Errorf("clerkemu: seed: %w", err)
	}
	return s.snapshot(u), nil
}

// SetBanned bans or unbans a user. A ban revokes the sessions.
func (s *Server) SetBanned(userID string, v bool) error {
	return s.change(userID, func(u *user, now time.Time) {
		if v {
			u.ban(now)
		} else {
			u.banned = false
		}
	})
}

// SetLocked locks a user for Options.LockoutDuration, or unlocks it.
func (s *Server) SetLocked(userID string, v bool) error {
	return s.change(userID, func(u *user, now time.Time) {
		u.lockout = lockout{}
		if v {
			u.lockout = s.newLockout(now)
		}
	})
}

// SetDeprovisioned says whether a directory has taken the user's access away.
func (s *Server) SetDeprovisioned(userID string, v bool) error {
	return s.change(userID, func(u *user, _ time.Time) { u.deprovisioned = v })
}

// EnableTOTP turns the second factor of a user on. The secret is base32.
func (s *Server) EnableTOTP(userID, secret string) error {
	if !validTOTPSecret(secret) {
		return errTOTPSecret()
	}
	return s.change(userID, func(u *user, now time.Time) { u.enableTOTP(secret, now) })
}

func errTOTPSecret() error { return errors.New("clerkemu: the TOTP secret is not base32") }

func (s *Server) change(userID string, do func(*user, time.Time)) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u := s.store.users[userID]
	if u == nil {
		return fmt.Errorf("clerkemu: there is no user %q", userID)
	}
	now := s.clock.Now()
	do(u, now)
	u.updatedAt = now
	return nil
}
