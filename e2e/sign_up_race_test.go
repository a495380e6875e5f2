package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// TestManySignUpsAtOnce has 50 sign-ups of one address race each other. Each then tries every code that was mailed: one account is left, one
// of them gets it, and it has the password of that one.
func TestManySignUpsAtOnce(t *testing.T) {
	const people = 50
	for name, passwordOf := range map[string]func(int) string{
		"the same password": func(int) string { return password },
		"other passwords":   func(i int) string { return fmt.Sprintf("%s %d", password, i) },
	} {
		for _, row := range []struct {
			mode, success string
			options       func(*clerkemu.Options)
		}{
			// As session mode counts on it, Clerk sends no second code to an account within 30 seconds. In ticket mode everybody gets one.
			{"session", "SessionCreated", func(o *clerkemu.Options) { o.ResendInterval, o.CodeAttempts = 30*time.Second, 1000 }},
			{"ticket", "SignInTicketIssued", func(o *clerkemu.Options) { o.CodeAttempts = 1000 }},
		} {
			t.Run(name+", "+row.mode+" mode", func(t *testing.T) {
				clerk := clerkemu.RunT(t, row.options)
				// So that some lose their account to others before its code is sent.
				inject(t, clerk, clerkemu.Fault{Operation: "PrepareEmailAddressVerification", Kind: clerkemu.FaultLatency, Latency: 100 * time.Millisecond})
				c := &contest{api: startAPI(t, clerk, "--session-mode="+row.mode), clerk: clerk}
				started := c.signUpAtOnce(t, people, passwordOf)
				c.holds(t, false, 0)

				var winners []string // by password
				for i, handles := range started {
					if c.verifyWithAny(t, handles, row.success) {
						winners = append(winners, passwordOf(i))
					}
				}
				if len(winners) != 1 {
					t.Fatalf("%d of %d sign-ups verified the address", len(winners), len(started))
				}
				c.holds(t, true, 1)
				for i := range people {
					want := "InvalidCredentials"
					if passwordOf(i) == winners[0] {
						want = row.success
					}
					got, err := c.ask(t.Context(), nil, "signIn", map[string]any{"email": email, "password": passwordOf(i)})
					if got.typename() != want {
						t.Errorf("signIn of %d: %v, want %s (%v)", i, got, want, err)
					}
				}
			})
		}
	}
}

// signUpAtOnce has so many people sign up with the address, and returns the handles of those who were let. Nobody has verified it, so none is
// told that it is taken.
func (c *contest) signUpAtOnce(t *testing.T, people int, passwordOf func(int) string) map[int]member {
	t.Helper()
	results, errs := make([]member, people), make([]error, people)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			results[i], errs[i] = c.ask(t.Context(), nil, "signUp", map[string]any{"email": email, "password": passwordOf(i)})
		})
	}
	all.Wait()
	started, counts := map[int]member{}, map[string]int{}
	for i, result := range results {
		counts[result.typename()]++
		switch result.typename() {
		case "VerificationRequired":
			started[i] = result
		case "RateLimited", "ServiceUnavailable":
		default:
			t.Errorf("sign-up %d: %v (%v)", i, result, errs[i])
		}
	}
	if strings.Contains(c.log.String(), "outcome without a member") { // which is told as ServiceUnavailable
		t.Errorf("a sign-up ended in no way of a sign-up:\n%s", c.log)
	}
	t.Logf("%d sign-ups at once: %v", people, counts)
	return started
}

// verifyWithAny enters the codes that were mailed, until one is right or the handles are good for none.
func (c *contest) verifyWithAny(t *testing.T, started member, success string) bool {
	t.Helper()
	for _, code := range c.codes() {
		got, err := c.ask(t.Context(), nil, "verifyEmail", map[string]any{
			"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": code,
		})
		switch got.typename() {
		case success:
			return true
		case "InvalidCode":
		case "VerificationExpired", "AlreadyVerified":
			return false
		default:
			t.Errorf("verifyEmail: %v (%v)", got, err)
		}
	}
	return false
}
