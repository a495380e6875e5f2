package clerksvc

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"clerkql/internal/seal"
)

// TestTrackedSignInsAreBounded fills the memory for unfinished sign-ins: more are refused until some have expired.
func TestTrackedSignInsAreBounded(t *testing.T) {
	now := time.Now()
	limiter := newAttemptLimiter(func() time.Time { return now })
	for i := range maxTrackedSignIns {
		if err := limiter.begin(strconv.Itoa(i), now.Add(time.Duration(i/(maxTrackedSignIns/2)+1)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var limited *RateLimitedError
	if err := limiter.begin("one more", now.Add(time.Minute)); !errors.As(err, &limited) {
		t.Errorf("no room, and yet: %v", err)
	}
	now = now.Add(time.Minute) // half of them have expired
	if err := limiter.begin("one more", now.Add(time.Minute)); err != nil || len(limiter.signIns) != maxTrackedSignIns/2+1 {
		t.Errorf("%v; %d are tracked", err, len(limiter.signIns))
	}
}

// TestAnAttemptEndsBeforeTheNext holds that two attempts at one sign-in do not overlap.
func TestAnAttemptEndsBeforeTheNext(t *testing.T) {
	limiter := newAttemptLimiter(time.Now)
	expires := time.Now().Add(time.Minute)
	begin := func() error { return limiter.begin("one", expires) }
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if err := begin(); !errors.As(err, new(*RateLimitedError)) {
		t.Errorf("while another is under way: %v", err)
	}
	limiter.end("one", false, false)
	if err := begin(); err != nil {
		t.Errorf("once it has ended: %v", err)
	}
	limiter.end("one", true, false)
	if err := begin(); !errors.Is(err, ErrVerificationExpired) {
		t.Errorf("once it is used: %v", err)
	}
}

// TestTheLongestHandlesFit seals the largest handles with ids that are half as long again as Clerk's.
func TestTheLongestHandlesFit(t *testing.T) {
	keys, err := seal.NewKeyring(time.Now, seal.RandomKey())
	if err != nil {
		t.Fatal(err)
	}
	id := func(prefix string) string { return prefix + strings.Repeat("x", 27*3/2) }
	for purpose, content := range map[seal.Purpose]any{
		purposeSecondFactor: secondFactorHandle{
			ID: rand.Text(), UserID: id("user_"), PasswordUpdatedAt: 1 << 41, LookedAt: 1 << 32,
			EmailAddressID: id("idn_"), VerificationID: id("ver_"), ExpiresAt: 1 << 32, Proved: true,
		},
		purposePasswordReset: passwordResetHandle{
			UserID: id("user_"), EmailAddressID: id("idn_"), VerificationID: id("ver_"), PasswordUpdatedAt: 1 << 41, ProvedUntil: 1 << 32,
		},
	} {
		if _, err := keys.Seal(purpose, content, time.Now()); err != nil {
			t.Error(err)
		}
	}
}
