package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/clerkemu"
	"clerkql/internal/redistest"
)

// TestReplicasShareLimits has two processes with one Redis: what one gave, the other does not. While Redis is away each limits by itself.
func TestReplicasShareLimits(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flags := []string{"--redis-url=redis://" + server.Address, "--limit-sign-ins-per-address=4/1h"}
	one, two := limited(t, clerk, flags...), limited(t, clerk, flags...)
	guess := func(address string) map[string]any {
		return map[string]any{"email": address, "password": "not the password"}
	}
	for i := range 4 {
		if got := []*api{one, two}[i%2].from(t, "198.51.100.1", "signIn", guess("a@example.com")); got.typename() != "InvalidCredentials" {
			t.Fatalf("guess %d: %v", i+1, got)
		}
	}
	for _, replica := range []*api{one, two} {
		if got := replica.from(t, "198.51.100.1", "signIn", guess("a@example.com")); got.typename() != "RateLimited" {
			t.Errorf("a fifth guess: %v", got)
		}
	}

	server.Kill()
	for _, replica := range []*api{one, two} {
		replica.spend(t, 4, "198.51.100.1", "signIn", guess("b@example.com"))
		replica.logged(t, "rate limits are local")
	}
	server.Restart()
	deadline := time.Now().Add(10 * time.Second)
	for n := 0; ; n++ { // alone, and soon
		address := fmt.Sprintf("c%d@example.com", n)
		given := 0
		for i := range 8 {
			if got := []*api{one, two}[i%2].from(t, "198.51.100.1", "signIn", guess(address)); got.typename() == "InvalidCredentials" {
				given++
			}
		}
		if given == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the replicas gave %d, after Redis came back", given)
		}
		time.Sleep(200 * time.Millisecond)
	}
	for _, key := range redisKeys(t, server.Address) {
		if strings.Contains(key, "example.com") || strings.Contains(key, "198.51.100.1") {
			t.Errorf("who reads Redis reads %q", key)
		}
	}
}

// TestReplicasShareWhoIsKnown has an owner, who signed in at home through one replica, come back through the other, after an attacker
// elsewhere has spent the budget of the address.
func TestReplicasShareWhoIsKnown(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flags := []string{"--redis-url=redis://" + server.Address, "--limit-sign-ins-per-address=4/1h"}
	one, two := limited(t, clerk, flags...), limited(t, clerk, flags...)
	seed(t, clerk, ada())
	const home = "198.51.100.1"
	right, guess := map[string]any{"email": email, "password": password}, map[string]any{"email": email, "password": "not the password"}
	if got := one.from(t, home, "signIn", right); got.typename() != "SessionCreated" {
		t.Fatal(got)
	}
	two.spend(t, 3, "203.0.113.1", "signIn", guess) // the fourth was the owner's
	if got := two.from(t, home, "signIn", right); got.typename() != "SessionCreated" {
		t.Errorf("the owner at home: %v", got)
	}
	if got := two.from(t, "203.0.113.2", "signIn", right); got.typename() != "RateLimited" {
		t.Errorf("the owner elsewhere: %v", got)
	}
	// At home, too, there is a budget, which the replicas share, and of which the owner has taken one.
	one.spend(t, 3, home, "signIn", guess)
	if got := two.from(t, home, "signIn", guess); got.typename() != "RateLimited" {
		t.Errorf("one guess more at home: %v", got)
	}

	// Without Redis the second replica still knows whom it has let in itself.
	server.Kill()
	two.spend(t, 1, "203.0.113.3", "signIn", guess) // it gave the other three
	two.logged(t, "rate limits are local")
	if got := two.from(t, home, "signIn", right); got.typename() != "SessionCreated" {
		t.Errorf("the owner at home, without Redis: %v", got)
	}
}

// redisKeys returns all keys in a Redis.
func redisKeys(t testing.TB, address string) []string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestReplicasShareSecondFactors has a sign-in give one session, and its codes have one budget, whichever replica is asked.
func TestReplicasShareSecondFactors(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, withTOTP())
	server := redistest.Start(t)
	flags := []string{"--redis-url=redis://" + server.Address, "--limit-codes-per-handle=5/10m"}
	one, two := limited(t, clerk, flags...), limited(t, clerk, flags...)

	signInID := one.signInHalf(t, email, password)
	right := attempt(signInID, "TOTP", totpCode(t, clerk, email))
	one.want(t, "SessionCreated", "attemptSecondFactor", right)
	two.want(t, "VerificationExpired", "attemptSecondFactor", right)
	if sessions := clerk.Sessions(user.ID); len(sessions) != 1 {
		t.Errorf("%d sessions of one sign-in", len(sessions))
	}

	// A handle to go on with gives a session of its own.
	signInID = one.signInHalf(t, email, password)
	inject(t, clerk, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultStatus, Status: 500, Times: 1})
	resumed := one.want(t, "ServiceUnavailable", "attemptSecondFactor", attempt(signInID, "TOTP", totpCode(t, clerk, email)))
	goOn := attempt(resumed["resumeSignInId"], "TOTP", totpCode(t, clerk, email))
	two.want(t, "SessionCreated", "attemptSecondFactor", goOn)
	one.want(t, "VerificationExpired", "attemptSecondFactor", goOn)

	guess := attempt(one.signInHalf(t, email, password), "TOTP", wrong(totpCode(t, clerk, email)))
	for range 3 {
		one.want(t, "InvalidCode", "attemptSecondFactor", guess)
	}
	for range 2 {
		two.want(t, "InvalidCode", "attemptSecondFactor", guess)
	}
	two.want(t, "RateLimited", "attemptSecondFactor", guess)
	one.want(t, "RateLimited", "attemptSecondFactor", guess)
}
