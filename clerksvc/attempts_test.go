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

func half(id string, expires time.Time) secondFactorHandle {
	return secondFactorHandle{ID: id, UserID: "user_1", ExpiresAt: expires.Unix()}
}

// TestTrackedSignInsAreBounded fills the memory for unfinished sign-ins: more are refused until some have expired.
func TestTrackedSignInsAreBounded(t *testing.T) {
	now := time.Now()
	limiter := newAttemptLimiter(func() time.Time { return now })
	for i := range maxTracked {
		if err := limiter.begin(half(strconv.Itoa(i), now.Add(time.Duration(i/(maxTracked/2)+1)*time.Minute))); err != nil {
			t.Fatal(err)
		}
	}
	var limited *RateLimitedError
	if err := limiter.begin(half("one more", now.Add(time.Minute))); !errors.As(err, &limited) {
		t.Errorf("no room, and yet: %v", err)
	}
	now = now.Add(time.Minute) // half of them have expired
	if err := limiter.begin(half("one more", now.Add(time.Minute))); err != nil || len(limiter.signIns) != maxTracked/2+1 {
		t.Errorf("%v; %d are tracked", err, len(limiter.signIns))
	}
	// One that expired while an attempt was under way has been forgotten.
	limiter.end(half("0", now), attemptResult{used: true})
}

// TestAnAttemptEndsBeforeTheNext holds that two attempts at one sign-in do not overlap.
func TestAnAttemptEndsBeforeTheNext(t *testing.T) {
	limiter := newAttemptLimiter(time.Now)
	signIn := half("one", time.Now().Add(time.Minute))
	if err := limiter.begin(signIn); err != nil {
		t.Fatal(err)
	}
	if err := limiter.begin(signIn); !errors.As(err, new(*RateLimitedError)) {
		t.Errorf("while another is under way: %v", err)
	}
	limiter.end(signIn, attemptResult{})
	if err := limiter.begin(signIn); err != nil {
		t.Errorf("once it has ended: %v", err)
	}
	limiter.end(signIn, attemptResult{accepted: true})
	if err := limiter.begin(signIn); !errors.Is(err, ErrVerificationExpired) {
		t.Errorf("once a code was accepted: %v", err)
	}
	proved := signIn
	proved.Proved = true
	if err := limiter.begin(proved); err != nil {
		t.Errorf("with the handle that says so: %v", err)
	}
	limiter.end(proved, attemptResult{accepted: true, used: true})
	if err := limiter.begin(proved); !errors.Is(err, ErrVerificationExpired) {
		t.Errorf("once it is used: %v", err)
	}
}

// TestWrongCodesOfAnAccount enters wrong codes into one sign-in after the other. New sign-ins are no new guesses.
func TestWrongCodesOfAnAccount(t *testing.T) {
	now := time.Now()
	limiter := newAttemptLimiter(func() time.Time { return now })
	for i := range maxWrongCodesOfUser {
		signIn := half(strconv.Itoa(i/maxWrongCodes), now.Add(time.Minute))
		if err := limiter.begin(signIn); err != nil {
			t.Fatalf("wrong code %d: %v", i+1, err)
		}
		limiter.end(signIn, attemptResult{wrong: true})
	}
	var limited *RateLimitedError
	if err := limiter.begin(half("new", now.Add(time.Minute))); !errors.As(err, &limited) || limited.RetryAfter != wrongCodesWindow {
		t.Errorf("one code too many: %v", err)
	}
	other := half("another", now.Add(time.Minute))
	other.UserID = "user_2"
	if err := limiter.begin(other); err != nil {
		t.Errorf("another account: %v", err)
	}
	now = now.Add(wrongCodesWindow)
	if err := limiter.begin(half("later", now.Add(time.Minute))); err != nil {
		t.Errorf("ten minutes later: %v", err)
	}
}

// TestTheLongestHandlesFit seals the largest handles with ids that are half as long again as Clerk's.
func TestTheLongestHandlesFit(t *testing.T) {
	keys, err := seal.NewKeyring(time.Now, seal.RandomKey())
	if err != nil {
		t.Fatal(err)
	}
	id := func(prefix string) string { return prefix + strings.Repeat("x", 27*3/2) }
	identifier := strings.Repeat("x", 24)
	for purpose, content := range map[seal.Purpose]any{
		purposeSecondFactor: secondFactorHandle{
			ID: rand.Text(), UserID: id("user_"), Identifier: identifier, PasswordUpdatedAt: 1 << 41, LookedAt: 1 << 32, Steps: []SecondFactor{SecondFactorEmailCode},
			EmailAddressID: id("idn_"), VerificationID: id("ver_"), ExpiresAt: 1 << 32, Proved: true, Resumed: 99,
		},
		purposePasswordReset: passwordResetHandle{
			UserID: id("user_"), EmailAddressID: id("idn_"), VerificationID: id("ver_"), Identifier: identifier, PasswordUpdatedAt: 1 << 41, ProvedUntil: 1 << 32,
		},
	} {
		if _, err := keys.Seal(purpose, content, time.Now()); err != nil {
			t.Error(err)
		}
	}
}
