package clerkemu

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// prepare mails a code and returns the verification id.
func (f *fixture) prepare(emailID string) string {
	f.t.Helper()
	return f.ok("POST", "/email_addresses/"+emailID+"/prepare_verification", "null")["id"].(string)
}

func (f *fixture) attempt(emailID, verificationID, code string) reply {
	f.t.Helper()
	return f.do("POST", "/email_addresses/"+emailID+"/attempt_verification",
		map[string]any{"verification_id": verificationID, "code": code})
}

// wantStatus checks the status and the attempts of a verification.
func (r reply) wantStatus(t *testing.T, status string, attempts int) {
	t.Helper()
	body, _ := r.body.(map[string]any)
	if r.status != http.StatusOK || body["status"] != status || body["attempts"] != float64(attempts) {
		t.Errorf("got %d %v, want %s after %d", r.status, r.body, status, attempts)
	}
}

func reserved(s *UserSeed) { s.Reserved = true }

func TestVerificationSucceeds(t *testing.T) {
	f := start(t)
	u := f.seed("v@example.com", reserved)
	id := f.prepare(u.EmailAddressID)
	code := f.code("v@example.com")
	f.attempt(u.EmailAddressID, id, wrongCode(code)).wantStatus(t, "unverified", 1)
	f.attempt(u.EmailAddressID, id, code).wantStatus(t, "verified", 2)
	f.attempt(u.EmailAddressID, id, code).want(t, http.StatusBadRequest, "verification_already_verified")
	address := f.ok("GET", "/email_addresses/"+u.EmailAddressID, nil)
	verification, _ := address["verification"].(map[string]any)
	if address["reserved"] != false || verification["object"] != "verification_otp" || verification["strategy"] != "email_code" {
		t.Errorf("address %v", address)
	}
	if sessions := f.Sessions(u.ID); len(sessions) != 0 {
		t.Errorf("a verification made sessions: %v", sessions)
	}
}

func TestVerificationFailsForGood(t *testing.T) {
	f := start(t, func(o *Options) { o.CodeAttempts = 3 })
	u := f.seed("f@example.com", reserved)
	id := f.prepare(u.EmailAddressID)
	code := f.code("f@example.com")
	for attempt, status := range []string{"unverified", "unverified", "failed"} {
		f.attempt(u.EmailAddressID, id, wrongCode(code)).wantStatus(t, status, attempt+1)
	}
	f.attempt(u.EmailAddressID, id, code).wantStatus(t, "failed", 3)
	if after, _ := f.UserByID(u.ID); after.Verified {
		t.Error("verified by a failed verification")
	}
	second := f.prepare(u.EmailAddressID) // another verification is independent
	f.attempt(u.EmailAddressID, second, f.code("f@example.com")).wantStatus(t, "verified", 1)
}

func TestVerificationExpires(t *testing.T) {
	f := start(t, func(o *Options) { o.CodeLife = time.Minute })
	u := f.seed("e@example.com", reserved)
	id := f.prepare(u.EmailAddressID)
	code := f.code("e@example.com")
	f.FastForward(time.Minute)
	f.attempt(u.EmailAddressID, id, code).wantStatus(t, "expired", 0)
	f.FastForward(-time.Minute)
	f.attempt(u.EmailAddressID, id, code).wantStatus(t, "expired", 0)
}

func TestVerificationOfAVerifiedAddressLeavesItAlone(t *testing.T) {
	f := start(t)
	u := f.seed("again@example.com")
	before := f.ok("GET", "/email_addresses/"+u.EmailAddressID, nil)
	id := f.prepare(u.EmailAddressID)
	f.attempt(u.EmailAddressID, id, f.code("again@example.com")).wantStatus(t, "verified", 1)
	if diff := cmp.Diff(before, f.ok("GET", "/email_addresses/"+u.EmailAddressID, nil)); diff != "" {
		t.Error(diff)
	}
}

func TestVerificationRefusals(t *testing.T) {
	f := start(t)
	mine, theirs := f.seed("mine@example.com", reserved), f.seed("theirs@example.com", reserved)
	id := f.prepare(mine.EmailAddressID)
	code := f.code("mine@example.com")
	f.attempt(theirs.EmailAddressID, id, code).want(t, http.StatusNotFound, "resource_not_found")
	f.attempt(mine.EmailAddressID, "ver_x", code).want(t, http.StatusNotFound, "resource_not_found")
	path := "/email_addresses/" + mine.EmailAddressID + "/attempt_verification"
	f.do("POST", path, map[string]any{"code": code}).want(t, 422, "form_param_missing")
	f.do("POST", path, map[string]any{"code": code, "verification_id": id, "more": 1}).want(t, 422, "form_param_unknown")
	if after, _ := f.UserByID(theirs.ID); after.Verified {
		t.Error("verified by the code of another address")
	}
}

func TestResendInterval(t *testing.T) {
	f := start(t, func(o *Options) { o.ResendInterval = 30 * time.Second })
	u := f.seed("resend@example.com")
	path := "/email_addresses/" + u.EmailAddressID + "/prepare_verification"
	f.ok("POST", path, nil)
	f.FastForward(20 * time.Second)
	r := f.do("POST", path, nil)
	r.want(t, http.StatusTooManyRequests, "verification_code_too_many_requests")
	if wait := r.header.Get("Retry-After"); wait != "10" {
		t.Errorf("Retry-After %q", wait)
	}
	f.FastForward(10 * time.Second)
	f.ok("POST", path, nil)
	if sent := len(f.Mail("resend@example.com")); sent != 2 {
		t.Errorf("%d mails", sent)
	}
}

func TestResendIntervalEndsWithTheCode(t *testing.T) {
	f := start(t, func(o *Options) { o.ResendInterval = 30 * time.Second })
	u := f.seed("accepted@example.com")
	path := "/email_addresses/" + u.EmailAddressID
	id := f.ok("POST", path+"/prepare_verification", nil)["id"]
	attempt := map[string]any{"verification_id": id, "code": f.Mail("accepted@example.com")[0].Code}
	f.ok("POST", path+"/attempt_verification", attempt)
	f.ok("POST", path+"/prepare_verification", nil)
	f.do("POST", path+"/prepare_verification", nil).want(t, http.StatusTooManyRequests, "verification_code_too_many_requests")
}

func TestTestAddresses(t *testing.T) {
	off := false
	for name, tt := range map[string]struct {
		change func(*Options)
		silent bool
	}{
		"development":     {func(*Options) {}, true},
		"production":      {func(o *Options) { o.Production = true }, false},
		"test mode is on": {func(o *Options) { o.Production, o.TestMode = true, new(true) }, true},
		"off":             {func(o *Options) { o.TestMode = &off }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, tt.change)
			u := f.seed("jane+clerk_test@example.com", reserved)
			id := f.prepare(u.EmailAddressID)
			if sent := len(f.Mail("")); sent != map[bool]int{true: 0, false: 1}[tt.silent] {
				t.Errorf("%d mails", sent)
			}
			code := testCode
			if !tt.silent {
				code = f.code(u.EmailAddress)
			}
			f.attempt(u.EmailAddressID, id, code).wantStatus(t, "verified", 1)
		})
	}
}

// An address that is merely unverified is anybody's, until one verifies it.
func TestUnverifiedAddressesCompete(t *testing.T) {
	f := start(t)
	ann, bob := f.seed("ann@example.com"), f.seed("bob@example.com")
	add := func(userID string) map[string]any {
		return f.ok("POST", "/email_addresses", map[string]any{"user_id": userID, "email_address": "Shared@example.com"})
	}
	hers, his := add(ann.ID), add(bob.ID)
	if hers["verification"] != nil || hers["reserved"] != false {
		t.Errorf("address %v", hers)
	}
	f.do("POST", "/email_addresses", map[string]any{"user_id": ann.ID, "email_address": "shared@example.com"}).
		want(t, 422, "form_identifier_exists")
	f.do("PATCH", "/email_addresses/"+hers["id"].(string), map[string]any{"primary": true}).want(t, 422, "form_verification_needed")
	hisID := his["id"].(string)
	id := f.prepare(hisID)
	code := f.code("shared@example.com")
	f.ok("PATCH", "/email_addresses/"+hers["id"].(string), map[string]any{"verified": true})
	f.attempt(hisID, id, code).want(t, http.StatusBadRequest, "identification_claimed")
	f.do("PATCH", "/email_addresses/"+hisID, map[string]any{"verified": true}).want(t, http.StatusBadRequest, "identification_claimed")
	if holder, _ := f.UserByEmail("shared@example.com"); holder.ID != ann.ID {
		t.Errorf("held by %s", holder.EmailAddress)
	}
	f.ok("DELETE", "/email_addresses/"+hers["id"].(string), nil)
	f.attempt(hisID, id, code).wantStatus(t, "verified", 1) // free again
	f.do("DELETE", "/email_addresses/"+ann.EmailAddressID, nil).want(t, http.StatusBadRequest, "identification_deletion_failed")
}
