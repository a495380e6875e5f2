package clerksvc_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/ratelimit"
	"clerkql/internal/secret"
)

// admitted is a service that shares out 100 calls of an hour: 49 at once, 19 of them to what can wait, and then 4 or 5 in three minutes.
type admitted struct {
	*clerksvc.Service
	clerk *clerkemu.Server
	ahead *time.Duration // of the quota's clock
}

func newAdmitted(t *testing.T, changes ...func(*clerksvc.Config)) admitted {
	t.Helper()
	clerk := clerkemu.RunT(t)
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	ahead, began := new(time.Duration), time.Now().Truncate(time.Hour)
	quota, err := ratelimit.NewMemoryQuota(ratelimit.Budget{Count: 100, Per: time.Hour}, func() time.Time { return began.Add(*ahead) })
	if err != nil {
		t.Fatal(err)
	}
	changes = append([]func(*clerksvc.Config){func(cfg *clerksvc.Config) { cfg.Quota = quota }}, changes...)
	return admitted{newService(t, clerk, changes...), clerk, ahead}
}

func (a admitted) inject(t *testing.T, fault clerkemu.Fault) {
	t.Helper()
	if err := a.clerk.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
}

func (a admitted) signIn(ctx context.Context, password string) error {
	_, err := a.SignIn(ctx, clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	return err
}

// until does something until it is refused as unavailable, without a call to Clerk and at once, and returns how often it was done.
func (a admitted) until(t *testing.T, do func() error) int {
	t.Helper()
	for n := range 100 {
		a.clerk.ResetCalls()
		began := time.Now()
		var unavailable *clerksvc.UnavailableError
		if err := do(); !errors.As(err, &unavailable) {
			continue
		}
		if took, calls := time.Since(began), a.clerk.Calls(); took > maxRefusalTime || len(calls) > 0 || unavailable.RetryAfter <= 0 {
			t.Errorf("refused after %v and these calls, for %v: %v", took, unavailable.RetryAfter, calls)
		}
		return n
	}
	t.Fatal("it is never refused")
	return 0
}

// maxRefusalTime is how long it may take to say no.
const maxRefusalTime = 250 * time.Millisecond

func TestTheQuotaIsSpentByCallsThatAreMade(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(admitted) error
		want int
	}{
		"sign-ins, of four calls":         {func(a admitted) error { return a.signIn(t.Context(), password) }, 49 / 4},
		"wrong passwords, which take two": {func(a admitted) error { return a.signIn(t.Context(), "not the password") }, (49 - 2) / 2},
		"sign-ups, of two":                {func(a admitted) error { return a.signUpSomebody(t) }, 19 / 2},
		"resets of nobody's password, of one, which have another": {func(a admitted) error {
			_, err := a.RequestPasswordReset(t.Context(), clerksvc.Client{}, "nobody@example.com")
			return err
		}, 19 / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAdmitted(t)
			if got := a.until(t, func() error { return test.do(a) }); got != test.want {
				t.Errorf("%d went through, want %d", got, test.want)
			}
		})
	}
}

func (a admitted) signUpSomebody(t *testing.T) error {
	address := strings.ToLower(rand.Text()) + "@example.com"
	_, err := a.SignUp(t.Context(), clerksvc.SignUpInput{Email: address, Password: secret.New(password)})
	return err
}

// TestSignUpsLeaveRoomForSignIns holds that those who sign in get through, and stay signed in, in a flood of sign-ups.
func TestSignUpsLeaveRoomForSignIns(t *testing.T) {
	a := newAdmitted(t)
	signedIn, err := a.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	a.until(t, func() error { return a.signUpSomebody(t) })
	*a.ahead = 6 * time.Minute
	a.until(t, func() error { return a.signUpSomebody(t) })
	if err := a.signIn(t.Context(), password); err != nil {
		t.Errorf("a sign-in: %v", err)
	}
	token := clerksvc.RefreshToken{Token: signedIn.Session.RefreshToken}
	if _, err := a.RefreshSession(t.Context(), clerksvc.Client{}, token); err != nil {
		t.Errorf("a refresh: %v", err)
	}
	a.until(t, func() error { return a.signIn(t.Context(), password) })
	if _, err := a.Viewer(t.Context(), clerksvc.Client{}, signedIn.Session.Token); err != nil {
		t.Errorf("a viewer, which needs no call: %v", err)
	}
}

// TestClerkSlowsEverybodyDown holds that a 429 keeps others from running into the next.
func TestClerkSlowsEverybodyDown(t *testing.T) {
	a := newAdmitted(t)
	fault := clerkemu.Fault{Operation: "VerifyPassword", Kind: clerkemu.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second, Times: 1}
	if err := a.clerk.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
	if err := a.signIn(t.Context(), password); !errors.As(err, new(*clerksvc.RateLimitedError)) {
		t.Errorf("refused by Clerk: %v", err)
	}
	var unavailable *clerksvc.UnavailableError
	if err := a.signIn(t.Context(), password); !errors.As(err, &unavailable) || unavailable.RetryAfter < 6*time.Second {
		t.Errorf("after that: %v", err)
	}
	if calls := a.clerk.Calls(); len(calls) != 2 {
		t.Errorf("these calls: %v", calls)
	}
}

// TestTheCircuitOpensAndCloses holds that nothing is begun while Clerk fails, and everything a moment after it is well again.
func TestTheCircuitOpensAndCloses(t *testing.T) {
	a := newAdmitted(t, func(cfg *clerksvc.Config) { cfg.Quota = nil })
	a.inject(t, clerkemu.Fault{Operation: "*", Kind: clerkemu.FaultStatus, Status: http.StatusInternalServerError})
	for range 10 {
		_ = a.signIn(t.Context(), password)
	}
	a.until(t, func() error { return a.signIn(t.Context(), password) })
	a.clerk.ClearFaults()
	if err := a.signIn(t.Context(), password); !errors.As(err, new(*clerksvc.UnavailableError)) {
		t.Errorf("while the circuit is open: %v", err)
	}
	time.Sleep(time.Second + 100*time.Millisecond)
	for range 5 {
		if err := a.signIn(t.Context(), password); err != nil {
			t.Errorf("after the circuit was open: %v", err)
		}
	}
}

// TestWhatHasBegunIsFinished has the circuit open in the middle of a sign-in, which gets its session all the same.
func TestWhatHasBegunIsFinished(t *testing.T) {
	a := newAdmitted(t, func(cfg *clerksvc.Config) { cfg.Quota = nil })
	a.inject(t, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultLatency, Latency: 2 * time.Second, Times: 1})
	slow := make(chan error, 1)
	go func() { slow <- a.signIn(t.Context(), password) }()
	for a.clerk.PendingFaults() > 0 {
		time.Sleep(time.Millisecond)
	}
	a.inject(t, clerkemu.Fault{Operation: "GetUserList", Kind: clerkemu.FaultStatus, Status: http.StatusInternalServerError})
	for range 20 {
		_ = a.signIn(t.Context(), password)
	}
	a.until(t, func() error { return a.signIn(t.Context(), password) })
	if err := <-slow; err != nil {
		t.Errorf("the sign-in that had begun: %v", err)
	}
}

// TestRefusalsLeaveTheCircuitClosed holds that what is wrong with a request is not held against Clerk, be it a gateway that says so.
func TestRefusalsLeaveTheCircuitClosed(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusTooManyRequests} {
		a := newAdmitted(t, func(cfg *clerksvc.Config) { cfg.Quota = nil })
		a.inject(t, clerkemu.Fault{Operation: "*", Kind: clerkemu.FaultStatus, Status: status})
		for range 50 {
			_ = a.signIn(t.Context(), password)
		}
		if calls := len(a.clerk.Calls()); calls < 50 {
			t.Errorf("status %d: %d calls reached Clerk in 50 sign-ins", status, calls)
		}
	}
}

// TestMailsThatAreRefusedAreNotCounted holds that who is refused because Clerk's calls are used up has not spent what mails they may ask for.
func TestMailsThatAreRefusedAreNotCounted(t *testing.T) {
	store, err := ratelimit.NewMemory(1000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	marks, err := ratelimit.NewMemoryMarks(1000, time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	many, one := ratelimit.Budget{Count: 1000, Per: time.Hour}, ratelimit.Budget{Count: 1, Per: time.Hour}
	a := newAdmitted(t, func(cfg *clerksvc.Config) {
		cfg.Limits = &clerksvc.Limits{
			Store: store, Known: marks, PerIP: many, PerSession: many, SignInsPerIP: many, SignInsPerIdentifier: many, SignUpsPerIP: many,
			MailsPerIP: many, MailsPerAddress: [2]ratelimit.Budget{one, many}, Mails: many, CodesPerHandle: many,
		}
	})
	reset := func() error {
		_, err := a.RequestPasswordReset(t.Context(), clerksvc.Client{}, email)
		return err
	}
	a.until(t, func() error { return a.signUpSomebody(t) })
	a.until(t, func() error { return a.signIn(t.Context(), password) })
	for range 3 {
		if err := reset(); !errors.As(err, new(*clerksvc.UnavailableError)) {
			t.Errorf("while the quota is used up: %v", err)
		}
	}
	*a.ahead = 2 * time.Hour
	if err := reset(); err != nil {
		t.Errorf("the first mail: %v", err)
	}
	if err := reset(); !errors.As(err, new(*clerksvc.RateLimitedError)) {
		t.Errorf("the second mail: %v", err)
	}
}

// TestFewWaitForClerk holds that more than a number of mutations do not pile up behind a slow Clerk.
func TestFewWaitForClerk(t *testing.T) {
	a := newAdmitted(t, func(cfg *clerksvc.Config) { cfg.Concurrency = 2 })
	if err := a.clerk.InjectFault(clerkemu.Fault{Operation: "GetUserList", Kind: clerkemu.FaultLatency, Latency: time.Second, Times: 2}); err != nil {
		t.Fatal(err)
	}
	slow := make(chan error, 2)
	for range cap(slow) {
		go func() { slow <- a.signIn(t.Context(), password) }()
	}
	for a.clerk.PendingFaults() > 0 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := a.signIn(t.Context(), password); !errors.As(err, new(*clerksvc.UnavailableError)) || time.Since(began) > maxRefusalTime {
		t.Errorf("a third sign-in: %v after %v", err, time.Since(began))
	}
	for range cap(slow) {
		if err := <-slow; err != nil {
			t.Errorf("a slow sign-in: %v", err)
		}
	}
	if err := a.signIn(t.Context(), password); err != nil {
		t.Errorf("a sign-in after them: %v", err)
	}
	if got := a.until(t, func() error { return a.signIn(t.Context(), password) }); got != 49/4-3 {
		t.Errorf("%d sign-ins more, want %d: who was refused has spent nothing", got, 49/4-3)
	}
}
