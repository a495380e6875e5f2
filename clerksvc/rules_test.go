package clerksvc

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
)

// unfinished returns a user as SignUp leaves it.
func unfinished() *User {
	u := &User{}
	u.ID = "user_1"
	u.PrivateMetadata = json.RawMessage(`{"clerkql_sign_up":true}`)
	u.EmailAddresses = []*clerk.EmailAddress{{ID: "idn_1", EmailAddress: "ada@example.com", Reserved: true}}
	return u
}

// TestAbandoned changes one thing at a time about an unfinished sign-up: none of what comes out may be replaced.
func TestAbandoned(t *testing.T) {
	if !abandoned(unfinished()) {
		t.Fatal("an unfinished sign-up is not abandoned")
	}
	for name, change := range map[string]func(u *User){
		"no metadata":               func(u *User) { u.PrivateMetadata = nil },
		"metadata of others":        func(u *User) { u.PrivateMetadata = json.RawMessage(`{"other":true}`) },
		"metadata that is no JSON":  func(u *User) { u.PrivateMetadata = json.RawMessage(`{`) },
		"a verified address":        func(u *User) { u.EmailAddresses[0].Verification = &clerk.Verification{Status: "verified"} },
		"a second address":          func(u *User) { u.EmailAddresses = append(u.EmailAddresses, &clerk.EmailAddress{ID: "idn_2"}) },
		"no address":                func(u *User) { u.EmailAddresses = nil },
		"a phone number":            func(u *User) { u.PhoneNumbers = []struct{}{{}} },
		"an external account":       func(u *User) { u.ExternalAccounts = []struct{}{{}} },
		"a SAML account":            func(u *User) { u.SAMLAccounts = []struct{}{{}} },
		"a wallet":                  func(u *User) { u.Web3Wallets = []struct{}{{}} },
		"a username":                func(u *User) { u.Username = clerk.String("ada") },
		"an external id":            func(u *User) { u.ExternalID = clerk.String("crm-1") },
		"a second factor":           func(u *User) { u.TOTPEnabled = true },
		"a phone for second factor": func(u *User) { u.TwoFactorEnabled = true },
		"a sign-in":                 func(u *User) { u.LastSignInAt = clerk.Int64(1) },
		"a ban":                     func(u *User) { u.Banned = true },
		"a lock":                    func(u *User) { u.Locked = true },
		"a directory that took it":  func(u *User) { u.Deprovisioned = true },
	} {
		u := unfinished()
		if change(u); abandoned(u) {
			t.Errorf("with %s it would be replaced", name)
		}
	}
	pending := unfinished()
	pending.EmailAddresses[0].Verification = &clerk.Verification{Status: "unverified"}
	if !abandoned(pending) {
		t.Error("a verification under way makes it somebody's")
	}
}

func TestBarred(t *testing.T) {
	hour := int64(3600)
	for name, row := range map[string]struct {
		change func(u *User)
		want   func(error) bool
	}{
		"nothing":       {func(*User) {}, func(err error) bool { return err == nil }},
		"banned":        {func(u *User) { u.Banned = true }, func(err error) bool { return errors.Is(err, ErrAccountBanned) }},
		"deprovisioned": {func(u *User) { u.Deprovisioned = true }, func(err error) bool { return errors.Is(err, ErrAccountBanned) }},
		"locked for an hour": {func(u *User) { u.Locked, u.LockoutExpiresInSeconds = true, &hour }, func(err error) bool {
			var locked *AccountLockedError
			return errors.As(err, &locked) && locked.RetryAfter != nil && *locked.RetryAfter == time.Hour
		}},
		"locked for good": {func(u *User) { u.Locked = true }, func(err error) bool {
			var locked *AccountLockedError
			return errors.As(err, &locked) && locked.RetryAfter == nil
		}},
		"unlocked again": {func(u *User) { u.LockoutExpiresInSeconds = &hour }, func(err error) bool { return err == nil }},
	} {
		u := unfinished()
		row.change(u)
		if err := barred(u); !row.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNeedsSecondFactor(t *testing.T) {
	for name, row := range map[string]struct {
		change func(u *User)
		want   bool
	}{
		"nothing":           {func(*User) {}, false},
		"TOTP":              {func(u *User) { u.TOTPEnabled = true }, true},
		"a phone":           {func(u *User) { u.TwoFactorEnabled = true }, true},
		"backup codes only": {func(u *User) { u.BackupCodeEnabled = true }, false},
	} {
		u := unfinished()
		if row.change(u); needsSecondFactor(u) != row.want {
			t.Errorf("%s: %v", name, !row.want)
		}
	}
}
