package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"clerkql/clerkemu"
)

// limited runs the API with the budgets of flags, behind a proxy that it trusts, so that a test can come from any IP.
func limited(t testing.TB, clerk *clerkemu.Server, flags ...string) *api {
	t.Helper()
	return startAPI(t, clerk, append([]string{"--trusted-proxies=127.0.0.1/32"}, flags...)...)
}

// from runs a mutation as a client with this IP, and returns the member that it ended with.
func (a *api) from(t testing.TB, ip, mutation string, input map[string]any) member {
	t.Helper()
	return a.doWith(t, http.Header{"X-Forwarded-For": {ip}}, mutation, input)
}

// spend runs a mutation so often, and fails the test if it is limited before, or not after.
func (a *api) spend(t testing.TB, times int, ip, mutation string, input map[string]any) member {
	t.Helper()
	for i := range times {
		if result := a.from(t, ip, mutation, input); result.typename() == "RateLimited" {
			t.Fatalf("%s from %s is limited after %d: %v", mutation, ip, i, result)
		}
	}
	result := a.from(t, ip, mutation, input)
	if result.typename() != "RateLimited" {
		t.Fatalf("%s from %s is not limited after %d: %v", mutation, ip, times, result)
	}
	return result
}

// TestTriesAtPasswordsAreLimited has the budget of an address, which absent ones have too, and the budget that its owner keeps.
func TestTriesAtPasswordsAreLimited(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := limited(t, clerk, "--limit-sign-ins-per-address=4/1h")
	seed(t, clerk, ada())
	right := map[string]any{"email": email, "password": password}
	const home = "198.51.100.1"
	if got := a.from(t, home, "signIn", right); got.typename() != "SessionCreated" {
		t.Fatal(got)
	}
	clerk.ResetCalls()
	for _, address := range []string{" ADA@example.com", "absent@example.com"} {
		guess := map[string]any{"email": address, "password": "not the password"}
		spent := 3
		if address == "absent@example.com" {
			spent = 4 // nobody signed in with it before
		}
		for i := range spent { // each from elsewhere
			if got := a.from(t, fmt.Sprintf("203.0.113.%d", i), "signIn", guess); got.typename() != "InvalidCredentials" {
				t.Fatalf("guess %d for %s: %v", i+1, address, got)
			}
		}
		limited := a.from(t, "203.0.113.200", "signIn", guess)
		if wait, _ := limited["retryAfterSeconds"].(float64); limited.typename() != "RateLimited" || wait < 800 || wait > 900 {
			t.Errorf("one guess more for %s: %v", address, limited)
		}
	}
	if calls := len(clerk.Calls()); calls != 2*(3+4) {
		t.Errorf("%d calls to Clerk", calls)
	}
	// Its owner, at home, is not kept out. Elsewhere even the right password has to wait.
	if got := a.from(t, home, "signIn", right); got.typename() != "SessionCreated" {
		t.Errorf("the owner at home: %v", got)
	}
	if got := a.from(t, "203.0.113.201", "signIn", right); got.typename() != "RateLimited" {
		t.Errorf("the owner elsewhere: %v", got)
	}
}

// TestWhoIsKnown has a client known to an address once somebody has signed in from it, by whatever flow, and not before.
func TestWhoIsKnown(t *testing.T) {
	const home, elsewhere = "198.51.100.1", "203.0.113.1"
	guess := map[string]any{"email": email, "password": "not the password"}
	right := map[string]any{"email": email, "password": password}
	// known reports whether a client has a budget beside that of the address, which is spent.
	known := func(t *testing.T, a *api, ip string) bool {
		t.Helper()
		for range 5 {
			a.from(t, elsewhere, "signIn", guess)
		}
		return a.from(t, ip, "signIn", guess).typename() == "InvalidCredentials"
	}
	for name, row := range map[string]struct {
		known bool
		do    func(t *testing.T, clerk *clerkemu.Server, a *api)
	}{
		"signIn": {true, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			seed(t, clerk, ada())
			a.from(t, home, "signIn", right)
		}},
		"verifyEmail": {true, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			a.from(t, home, "verifyEmail", a.signUp(t, clerk, email, password))
		}},
		"resetPassword": {true, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			seed(t, clerk, ada())
			a.from(t, home, "resetPassword", a.reset(t, clerk, email, newPassword))
		}},
		"attemptSecondFactor": {true, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			seed(t, clerk, withTOTP())
			half := a.from(t, home, "signIn", right)
			a.from(t, home, "attemptSecondFactor", attempt(half["signInId"], "TOTP", totpCode(t, clerk, email)))
		}},
		"the password without the second factor": {false, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			seed(t, clerk, withTOTP())
			a.from(t, home, "signIn", right)
		}},
		"an unfinished sign-up of somebody else": {false, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			mine := map[string]any{"email": email, "password": "chosen by an attacker"}
			a.from(t, home, "signUp", mine)
			a.from(t, home, "signIn", mine)
			a.from(t, "192.0.2.1", "verifyEmail", a.signUp(t, clerk, email, password))
		}},
		"an account of one's own": {false, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			seed(t, clerk, ada())
			seed(t, clerk, clerkemu.UserSeed{EmailAddress: "eve@example.com", Password: password})
			a.from(t, home, "signIn", map[string]any{"email": "eve@example.com", "password": password})
		}},
		"the account, barred": {false, func(t *testing.T, clerk *clerkemu.Server, a *api) {
			banned := ada()
			banned.Banned = true
			seed(t, clerk, banned)
			a.from(t, home, "signIn", right)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clerk := clerkemu.RunT(t)
			a := limited(t, clerk, "--limit-sign-ins-per-address=5/1h")
			row.do(t, clerk, a)
			if got := known(t, a, home); got != row.known {
				t.Errorf("known: %t", got)
			}
		})
	}
}

// TestLimitsPerClient has the budgets of an IP address, and of a /64 of IPv6.
func TestLimitsPerClient(t *testing.T) {
	for name, row := range map[string]struct {
		flag, mutation string
		input          func(i int) map[string]any
	}{
		"requests": {"--limit-requests-per-ip=3/1h", "requestPasswordReset", func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("nobody%d@example.com", i)}
		}},
		"sign-ins": {"--limit-sign-ins-per-ip=3/1h", "signIn", func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("nobody%d@example.com", i), "password": password}
		}},
		"mails": {"--limit-mails-per-ip=3/1h", "requestPasswordReset", func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("nobody%d@example.com", i)}
		}},
		"invalid input": {"--limit-requests-per-ip=3/1h", "verifyEmail", func(int) map[string]any {
			return map[string]any{"emailAddressId": "none", "verificationId": "none", "code": "none"}
		}},
		"tokens that are none": {"--limit-requests-per-ip=3/1h", "refreshSession", func(int) map[string]any {
			return map[string]any{"refreshToken": "no refresh token"}
		}},
		"sign-ups": {"--limit-sign-ups-per-ip=3/1h", "signUp", func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("new%d@example.com", i), "password": password}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := limited(t, clerkemu.RunT(t), row.flag)
			i := 0
			try := func(ip string) string {
				i++
				return a.from(t, ip, row.mutation, row.input(i)).typename()
			}
			for _, network := range [][]string{{"198.51.100.1"}, {"198.51.100.2"}, {"2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:ffff::"}, {"2001:db8:0:1::1"}} {
				for n := range 3 {
					if got := try(network[n%len(network)]); got == "RateLimited" {
						t.Errorf("%v is limited after %d", network, n)
					}
				}
				if got := try(network[0]); got != "RateLimited" {
					t.Errorf("%v is not limited: %s", network, got)
				}
			}
		})
	}
}

// TestMailsAreLimited has the budgets of an address, which absent ones have too, and that of all together.
func TestMailsAreLimited(t *testing.T) {
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := limited(t, clerk, "--limit-mail-pause=1/30s")
	for _, address := range []string{email, "absent@example.com"} {
		limited := a.spend(t, 1, "198.51.100.1", "requestPasswordReset", map[string]any{"email": address})
		if wait := limited["retryAfterSeconds"]; wait != 30.0 && wait != 29.0 {
			t.Errorf("%s: wait %v", address, wait)
		}
	}
	a = limited(t, clerk, "--limit-mails-per-address=2/1h")
	a.spend(t, 2, "198.51.100.1", "requestPasswordReset", map[string]any{"email": "Ada@Example.com"})
	if got := a.from(t, "198.51.100.1", "requestPasswordReset", map[string]any{"email": "another@example.com"}); got.typename() != "PasswordResetSent" {
		t.Errorf("another address: %v", got)
	}
	a = limited(t, clerk, "--limit-mails=2/1h")
	started := a.signUp(t, clerk, "one@example.com", password)
	a.from(t, "198.51.100.1", "requestPasswordReset", map[string]any{"email": "two@example.com"})
	for mutation, input := range map[string]map[string]any{
		"signUp":               {"email": "three@example.com", "password": password},
		"resendVerification":   {"emailAddressId": started["emailAddressId"]},
		"requestPasswordReset": {"email": "four@example.com"},
	} {
		if got := a.from(t, "198.51.100.2", mutation, input); got.typename() != "RateLimited" {
			t.Errorf("%s: %v", mutation, got)
		}
	}
	unverified := a.from(t, "198.51.100.2", "signIn", map[string]any{"email": "one@example.com", "password": password})
	if unverified.typename() != "EmailNotVerified" || unverified["resendAfterSeconds"] == nil || unverified["verificationId"] != nil {
		t.Errorf("signIn: %v", unverified)
	}
}

// TestAMailboxHasOneBudget whatever it is that mails a code to it.
func TestAMailboxHasOneBudget(t *testing.T) {
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := limited(t, clerk, "--limit-mails-per-address=2/1h", "--new-device-check=email_code")
	const ip, fresh = "198.51.100.1", "fresh@example.com"
	started := a.signUp(t, clerk, fresh, password)
	a.spend(t, 1, ip, "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
	for mutation, input := range map[string]map[string]any{
		"signUp":               {"email": fresh, "password": password},
		"requestPasswordReset": {"email": fresh},
	} {
		if got := a.from(t, ip, mutation, input); got.typename() != "RateLimited" {
			t.Errorf("%s: %v", mutation, got)
		}
	}
	unverified := a.from(t, ip, "signIn", map[string]any{"email": fresh, "password": password})
	if unverified.typename() != "EmailNotVerified" || unverified["resendAfterSeconds"] == nil {
		t.Errorf("signIn: %v", unverified)
	}
	newDevice := a.from(t, ip, "signIn", map[string]any{"email": email, "password": password})
	a.spend(t, 2, ip, "requestPasswordReset", map[string]any{"email": email})
	if got := a.from(t, ip, "prepareSecondFactor", map[string]any{"signInId": newDevice["signInId"], "strategy": "EMAIL_CODE"}); got.typename() != "RateLimited" {
		t.Errorf("prepareSecondFactor: %v", got)
	}
}

// TestAnOwnerGetsMail although somebody else spends the budget of the address.
func TestAnOwnerGetsMail(t *testing.T) {
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := limited(t, clerk, "--limit-mails-per-address=2/1h")
	const home = "198.51.100.1"
	a.from(t, home, "signIn", map[string]any{"email": email, "password": password})
	reset := map[string]any{"email": email}
	a.spend(t, 2, "203.0.113.1", "requestPasswordReset", reset)
	a.spend(t, 2, home, "requestPasswordReset", reset)

	// Nor is the budget of all spent for those who are known.
	a = limited(t, clerk, "--limit-mails=2/1h")
	a.from(t, home, "signIn", map[string]any{"email": email, "password": password})
	a.spend(t, 2, "203.0.113.1", "requestPasswordReset", map[string]any{"email": "absent@example.com"})
	if got := a.from(t, home, "requestPasswordReset", reset); got.typename() != "PasswordResetSent" {
		t.Errorf("when others have spent the mails of all: %v", got)
	}

	// Clerk's pause between two codes is for all. It is told, and not answered with a handle that is good for nothing.
	a = limited(t, clerk, "--limit-mail-pause=1/30s")
	a.from(t, home, "signIn", map[string]any{"email": email, "password": password})
	a.spend(t, 1, "203.0.113.1", "requestPasswordReset", reset)
	if got := a.from(t, home, "requestPasswordReset", reset); got.typename() != "RateLimited" {
		t.Errorf("in Clerk's pause: %v", got)
	}
}

// TestAMutationIsChargedOnce however many budgets it takes from; and the judging of passwords, which takes time, is not free.
func TestAMutationIsChargedOnce(t *testing.T) {
	clerk := clerkemu.RunT(t)
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "unverified@example.com", Password: password, Reserved: true})
	for mutation, input := range map[string]func(i int) map[string]any{
		"signIn": func(int) map[string]any {
			return map[string]any{"email": "unverified@example.com", "password": password}
		},
		"signUp": func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("new%d@example.com", i), "password": password}
		},
	} {
		t.Run(mutation, func(t *testing.T) {
			a := limited(t, clerk, "--limit-requests-per-ip=3/1h")
			for i := range 3 {
				if got := a.from(t, "198.51.100.1", mutation, input(i)); got.typename() == "RateLimited" {
					t.Errorf("limited after %d", i)
				}
			}
			if got := a.from(t, "198.51.100.1", mutation, input(3)); got.typename() != "RateLimited" {
				t.Errorf("not limited after 3: %v", got)
			}
		})
	}
	t.Run("weak passwords", func(t *testing.T) {
		a := limited(t, clerk, "--limit-requests-per-ip=3/1h")
		sent := a.from(t, "198.51.100.1", "requestPasswordReset", map[string]any{"email": "absent@example.com"})
		a.from(t, "198.51.100.1", "signUp", map[string]any{"email": email, "password": "password1"})
		weak := map[string]any{"signInId": sent["signInId"], "code": "123456", "newPassword": "password1"}
		if got := a.from(t, "198.51.100.1", "resetPassword", weak); got.typename() != "PasswordRejected" {
			t.Errorf("a weak password: %v", got)
		}
		if got := a.from(t, "198.51.100.1", "resetPassword", weak); got.typename() != "RateLimited" {
			t.Errorf("not limited after 3: %v", got)
		}
	})
}

// TestTriesAtCodesAreLimited has the budget of a handle.
func TestTriesAtCodesAreLimited(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.CodeAttempts = 100 })
	a := limited(t, clerk, "--limit-codes-per-handle=5/10m")
	verify := a.signUp(t, clerk, email, password)
	verify["code"] = wrong(verify["code"].(string))
	a.spend(t, 5, "198.51.100.1", "verifyEmail", verify)
	sent := a.from(t, "198.51.100.1", "requestPasswordReset", map[string]any{"email": "absent@example.com"})
	a.spend(t, 5, "198.51.100.1", "resetPassword", map[string]any{"signInId": sent["signInId"], "code": "123456", "newPassword": newPassword})
}

// TestEveryMutationCountsItsClient has the budget of an IP address for every mutation but those of sessions. Clerk does not hear of who is limited.
func TestEveryMutationCountsItsClient(t *testing.T) {
	clerk := clerkemu.RunT(t)
	steps := startAPI(t, clerk).steps(t, clerk)
	a := limited(t, clerk, "--limit-requests-per-ip=1/1h")
	for i, step := range steps {
		switch step.mutation {
		case "refreshSession", "signOut", "revokeSession", "signOutEverywhere":
			continue
		}
		ip := fmt.Sprintf("198.51.100.%d", i)
		if got := a.from(t, ip, step.mutation, step.input); got.typename() != step.success {
			t.Errorf("%s: %v", step.mutation, got)
		}
		clerk.ResetCalls()
		if got := a.from(t, ip, step.mutation, step.input); got.typename() != "RateLimited" {
			t.Errorf("%s, once more: %v", step.mutation, got)
		}
		if calls := clerk.Calls(); len(calls) > 0 {
			t.Errorf("%s, limited: %v", step.mutation, calls)
		}
	}
}

// TestEverySessionHasABudget has the mutations and the query that Clerk is called for with a session, each from one of its own.
func TestEverySessionHasABudget(t *testing.T) {
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := limited(t, clerk, "--limit-requests-per-session=1/1h")
	for _, mutation := range []string{"refreshSession", "signOut", "signOut by session token", "revokeSession", "Viewer.sessions", "signOutEverywhere"} {
		t.Run(mutation, func(t *testing.T) {
			session := a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
			header := bearer(session.text("sessionToken"))
			refresh := map[string]any{"refreshToken": session["refreshToken"]}
			do := func() string {
				switch mutation {
				case "refreshSession", "signOut":
					return a.do(t, mutation, refresh).typename()
				case "signOut by session token":
					return a.doWith(t, header, "signOut", nil).typename()
				case "revokeSession":
					return a.doWith(t, header, mutation, map[string]any{"sessionId": "sess_nobodys"}).typename()
				case "signOutEverywhere":
					return a.doWith(t, header, mutation, nil).typename()
				default:
					if got := a.query(t, "{ viewer { sessions { sessionId } } }", nil, header); got.errorCode() == "RATE_LIMITED" {
						return "RateLimited"
					}
					return "Viewer"
				}
			}
			if got := do(); got == "RateLimited" {
				t.Error("limited at once")
			}
			clerk.ResetCalls()
			if got := do(); got != "RateLimited" || len(clerk.Calls()) > 0 {
				t.Errorf("once more: %s, after %v", got, clerk.Calls())
			}
		})
	}
}
