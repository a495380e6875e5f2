package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/clerkemu"
	"clerkql/internal/redistest"
)

// beginsSignUp sends a sign-up whose mail takes Clerk so long, waits until the account is there, and returns the request and where its error will be.
func beginsSignUp(ctx context.Context, t testing.TB, a *api, clerk *clerkemu.Server, mail time.Duration) (k keyed, answered chan answer, failed chan error) {
	t.Helper()
	inject(t, clerk, clerkemu.Fault{Operation: "PrepareEmailAddressVerification", Kind: clerkemu.FaultLatency, Latency: mail, Times: 1})
	k = newKeyed(t, "signUp", map[string]any{"email": email, "password": password})
	answered, failed = make(chan answer, 1), make(chan error, 1)
	go func() {
		got, err := a.send(ctx, k.body, k.header)
		answered <- got
		failed <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); len(clerk.Users()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no account was made")
		}
	}
	return k, answered, failed
}

// settles sends a request until it is no longer in progress.
func (k keyed) settles(t testing.TB, a *api) answer {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		got := a.post(t, k.body, k.header)
		if got.Status != http.StatusConflict {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatal("it stays in progress")
		}
	}
}

// TestTwoAtOnce has a request sent again while it runs, to the same process or another.
func TestTwoAtOnce(t *testing.T) {
	clerk := clerkemu.RunT(t)
	flag := "--redis-url=redis://" + redistest.Start(t).Address
	one, other := startAPI(t, clerk, flag), startAPI(t, clerk, flag)
	k, answered, _ := beginsSignUp(t.Context(), t, one, clerk, time.Second)
	for _, replica := range []*api{one, other} {
		if got := k.refused(t, replica, http.StatusConflict, "IDEMPOTENCY_KEY_IN_PROGRESS"); got.Header.Get("Retry-After") != "1" {
			t.Errorf("retry after %q", got.Header.Get("Retry-After"))
		}
		different := k
		different.body = strings.Replace(k.body, email, "other@example.com", 1)
		different.refused(t, replica, http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED")
	}
	first := <-answered
	for _, replica := range []*api{other, one, other} {
		k.replays(t, replica, clerk, first)
	}
	if mails, users := clerk.Mail(email), clerk.Users(); len(mails) != 1 || len(users) != 1 {
		t.Errorf("%d mails, %d users", len(mails), len(users))
	}
}

// TestAnAnswerThatNobodyWaitedForIsKept has a client hang up half-way, and come back.
func TestAnAnswerThatNobodyWaitedForIsKept(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	ctx, hangUp := context.WithCancel(t.Context())
	k, _, failed := beginsSignUp(ctx, t, a, clerk, time.Second)
	hangUp()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Fatalf("the client did not hang up in time: %v", err)
	}
	k.refused(t, a, http.StatusConflict, "IDEMPOTENCY_KEY_IN_PROGRESS") // and it still runs
	got := k.settles(t, a)
	if got.Header.Get("Idempotency-Replayed") != "true" || !strings.Contains(got.Raw, `"VerificationRequired"`) {
		t.Fatalf("%d %s", got.Status, got.Raw)
	}
	calls := map[string]int{}
	for _, call := range clerk.Calls() {
		calls[call.Operation]++
	}
	if calls["CreateUser"] != 1 || calls["PrepareEmailAddressVerification"] != 1 || len(clerk.Mail(email)) != 1 {
		t.Errorf("calls %v, %d mails", calls, len(clerk.Mail(email)))
	}
	k.replays(t, a, clerk, got)
	var started member
	a.decode(t, got, "result", &started)
	a.want(t, "SessionCreated", "verifyEmail", map[string]any{
		"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": code(t, clerk, email),
	})
}

// TestAClaimOfTheDeadEnds has a process killed while it runs a request. Others wait for it no longer than it could have taken.
func TestAClaimOfTheDeadEnds(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flags := []string{"--redis-url=redis://" + server.Address, "--mutation-timeout=5s"}
	one, other := startAPI(t, clerk, flags...), startAPI(t, clerk, flags...)
	k, _, _ := beginsSignUp(t.Context(), t, one, clerk, 500*time.Millisecond)
	one.kill(t)
	k.refused(t, other, http.StatusConflict, "IDEMPOTENCY_KEY_IN_PROGRESS")
	client := redis.NewClient(&redis.Options{Addr: server.Address})
	defer client.Close()
	names := client.Keys(t.Context(), "clerkql:{idempotency}:*").Val()
	if len(names) != 1 {
		t.Fatalf("%q", names)
	}
	lease := client.PTTL(t.Context(), names[0]).Val()
	if lease < 10*time.Second || lease > 15*time.Second {
		t.Errorf("a claim of a mutation of 5s at most lasts %v", lease)
	}
	client.PExpire(t.Context(), names[0], 0) // as time would
	k.runs(t, other, "VerificationRequired")
	if users := clerk.Users(); len(users) != 1 {
		t.Errorf("%d users", len(users))
	}
}

// TestARecordThatCanNotBeReadIsAFault: the client did nothing wrong, and its mutation is not run, as it may have been.
func TestARecordThatCanNotBeReadIsAFault(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flag := "--redis-url=redis://" + server.Address
	one, other := startAPI(t, clerk, flag), startAPI(t, clerk, flag)
	seed(t, clerk, ada())
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	k.runs(t, one, "SessionCreated")
	client := redis.NewClient(&redis.Options{Addr: server.Address})
	defer client.Close()
	for _, name := range client.Keys(t.Context(), "clerkql:{idempotency}:*").Val() {
		client.Set(t.Context(), name, "junk", redis.KeepTTL)
	}
	clerk.ResetCalls()
	for _, accept := range []string{"application/json", "application/graphql-response+json"} {
		k.header.Set("Accept", accept)
		k.refused(t, other, http.StatusInternalServerError, "INTERNAL_SERVER_ERROR")
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("calls %v", calls)
	}
}

// TestHandleKeysRotateBetweenTwoTries has each replica restarted with the next step of a rotation, while a client waits to try again.
func TestHandleKeysRotateBetweenTwoTries(t *testing.T) {
	clerk := clerkemu.RunT(t)
	flag := "--redis-url=redis://" + redistest.Start(t).Address
	seed(t, clerk, ada())
	key := strings.Repeat("a7", 32)
	before := startAPI(t, clerk, flag)
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	_, first := k.runs(t, before, "SessionCreated")
	for _, keys := range []string{handleKey + "," + key, key + "," + handleKey} {
		k.replays(t, startWithKeys(t, clerk, keys, flag), clerk, first)
	}
	k.runs(t, startWithKeys(t, clerk, key, flag), "SessionCreated") // the old key is gone
}

// TestKeysWorkWithoutRedis has the Redis killed while a request runs. Who ran it has the answer, and what follows is kept there too.
func TestKeysWorkWithoutRedis(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flag := "--redis-url=redis://" + server.Address
	one, other := startAPI(t, clerk, flag), startAPI(t, clerk, flag)
	k, answered, _ := beginsSignUp(t.Context(), t, one, clerk, time.Second)
	server.Kill()
	k.refused(t, one, http.StatusConflict, "IDEMPOTENCY_KEY_IN_PROGRESS")
	k.replays(t, one, clerk, func() answer { return <-answered }())
	k = newKeyed(t, "signIn", map[string]any{"email": email, "password": "not the password"})
	_, first := k.runs(t, one, "InvalidCredentials")
	k.replays(t, one, clerk, first)
	server.Restart()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) { // shared again, soon
		l := newKeyed(t, "signIn", map[string]any{"email": email, "password": "not the password"})
		_, first := l.runs(t, one, "InvalidCredentials")
		if got := other.post(t, l.body, l.header); got.Header.Get("Idempotency-Replayed") == "true" && got.Raw == first.Raw {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not shared again")
		}
	}
	k.replays(t, one, clerk, first) // the new Redis knows nothing of it
}

// TestAKeyIsSentSoOften: whoever knows it can't try out passwords with it.
func TestAKeyIsSentSoOften(t *testing.T) {
	clerk := clerkemu.RunT(t)
	flag := "--redis-url=redis://" + redistest.Start(t).Address
	one, other := startAPI(t, clerk, flag), startAPI(t, clerk, flag)
	seed(t, clerk, ada())
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	k.runs(t, one, "SessionCreated")
	guess := k
	guess.body = strings.Replace(k.body, password, "not the password", 1)
	for i := range 30 {
		guess.refused(t, []*api{one, other}[i%2], http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED")
	}
	for _, tried := range []keyed{guess, k} {
		if got := tried.refused(t, other, http.StatusTooManyRequests, "RATE_LIMITED"); got.Header.Get("Retry-After") != "20" {
			t.Errorf("retry after %s", got.Header.Get("Retry-After"))
		}
	}
}

// TestNothingToReadInRedis looks at all that a Redis has after a sign-up, a sign-in and a sign-in that waits for its second factor, with keys.
func TestNothingToReadInRedis(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	a := startAPI(t, clerk, "--redis-url=redis://"+server.Address)
	seed(t, clerk, withTOTP())
	started, _ := newKeyed(t, "signUp", map[string]any{"email": "new@example.com", "password": password}).runs(t, a, "VerificationRequired")
	newKeyed(t, "verifyEmail", map[string]any{
		"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": code(t, clerk, "new@example.com"),
	}).runs(t, a, "SessionCreated")
	half, _ := newKeyed(t, "signIn", map[string]any{"email": email, "password": password}).runs(t, a, "SecondFactorRequired")
	session, _ := newKeyed(t, "attemptSecondFactor", attempt(half["signInId"], "TOTP", totpCode(t, clerk, email))).runs(t, a, "SessionCreated")
	newKeyed(t, "signOutEverywhere", nil).as(session.text("sessionToken")).runs(t, a, "SignedOutEverywhere")

	client := redis.NewClient(&redis.Options{Addr: server.Address})
	defer client.Close()
	var content strings.Builder
	answers := 0
	for _, key := range redisKeys(t, server.Address) {
		dump, err := client.Dump(t.Context(), key).Result()
		if errors.Is(err, redis.Nil) {
			continue // a budget that is full again
		}
		if err != nil {
			t.Fatal(err)
		}
		content.WriteString(key + "\n" + dump + "\n" + client.Get(t.Context(), key).Val() + "\n")
		if strings.HasPrefix(key, "clerkql:{idempotency}:") {
			answers++
		}
	}
	if answers != 5 {
		t.Fatalf("%d answers are kept", answers)
	}
	for _, secret := range append(transcript.told(), handleKey, "SessionCreated", "v4.local", "sess_", "user_") {
		if strings.Contains(content.String(), secret) {
			t.Errorf("who reads Redis reads %q", secret)
		}
	}
}
