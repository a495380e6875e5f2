package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

const (
	email       = "ada@example.com"
	password    = "difference engine"
	newPassword = "analytical engine"
)

// signUp begins a sign-up and returns what verifyEmail needs, code included.
func (a *api) signUp(t testing.TB, clerk *clerkemu.Server, email, password string) map[string]any {
	t.Helper()
	started := a.want(t, "VerificationRequired", "signUp", map[string]any{"email": email, "password": password})
	return map[string]any{
		"emailAddressId": started["emailAddressId"],
		"verificationId": started["verificationId"],
		"code":           code(t, clerk, email),
	}
}

// reset asks for a password reset and returns what resetPassword needs.
func (a *api) reset(t testing.TB, clerk *clerkemu.Server, email, newPassword string) map[string]any {
	t.Helper()
	sent := a.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})
	return map[string]any{"signInId": sent["signInId"], "code": code(t, clerk, email), "newPassword": newPassword}
}

func seed(t testing.TB, clerk *clerkemu.Server, user clerkemu.UserSeed) clerkemu.User {
	t.Helper()
	seeded, err := clerk.SeedUser(user)
	if err != nil {
		t.Fatal(err)
	}
	return seeded
}

func ada() clerkemu.UserSeed { return clerkemu.UserSeed{EmailAddress: email, Password: password} }

// activeSessions returns the ids of a user's active sessions.
func activeSessions(clerk *clerkemu.Server, userID string) map[string]bool {
	active := map[string]bool{}
	for _, session := range clerk.Sessions(userID) {
		if session.Status == "active" {
			active[session.ID] = true
		}
	}
	return active
}

func TestSessionModeFromSignUpToReset(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)

	verify := a.signUp(t, clerk, email, password)
	user, _ := clerk.UserByEmail(email)
	if user.Verified || !user.Reserved {
		t.Fatalf("after signUp the address is verified=%v reserved=%v", user.Verified, user.Reserved)
	}
	if len(clerk.Sessions(user.ID)) != 0 {
		t.Fatal("signUp made a session")
	}

	first := a.want(t, "SessionCreated", "verifyEmail", verify)
	if user, _ = clerk.UserByEmail(email); !user.Verified {
		t.Error("verifyEmail did not verify the address")
	}
	if first.text("userId") != user.ID || !activeSessions(clerk, user.ID)[first.text("sessionId")] {
		t.Errorf("no active session for %v", first)
	}
	second := a.want(t, "SessionCreated", "signIn", map[string]any{"email": "  ADA@Example.com ", "password": password})

	third := a.want(t, "SessionCreated", "resetPassword", a.reset(t, clerk, email, newPassword))
	active := activeSessions(clerk, user.ID)
	if active[first.text("sessionId")] || active[second.text("sessionId")] || !active[third.text("sessionId")] || len(active) != 1 {
		t.Errorf("after the reset these sessions are active: %v", active)
	}
	a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": password})
	a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": newPassword})
}

func TestTicketModeFromSignUpToReset(t *testing.T) {
	// A production instance, where sessions can't be created.
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.Production = true })
	a := startAPI(t, clerk, "--session-mode=ticket")

	signedIn := a.want(t, "SignInTicketIssued", "verifyEmail", a.signUp(t, clerk, email, password))
	expires, err := time.Parse(time.RFC3339, signedIn.text("expiresAt"))
	if life := time.Until(expires); err != nil || life <= 0 || life > time.Minute {
		t.Errorf("the ticket lives %v (%v)", life, err)
	}
	a.want(t, "SignInTicketIssued", "signIn", map[string]any{"email": email, "password": password})
	a.want(t, "SignInTicketIssued", "resetPassword", a.reset(t, clerk, email, newPassword))

	user, _ := clerk.UserByEmail(email)
	if tickets := clerk.SignInTokens(user.ID); len(tickets) != 3 {
		t.Errorf("%d tickets were minted, want 3", len(tickets))
	}
	startAPI(t, clerk, "--session-mode=ticket", "--ticket-life=20s").
		want(t, "SignInTicketIssued", "signIn", map[string]any{"email": email, "password": newPassword})
	if last := clerk.SignInTokens(user.ID)[3]; last.ExpireAt.Sub(last.CreatedAt) != 20*time.Second {
		t.Errorf("the ticket lives from %v to %v", last.CreatedAt, last.ExpireAt)
	}
	if sessions := clerk.Sessions(user.ID); len(sessions) != 0 {
		t.Errorf("sessions were created: %v", sessions)
	}
}

// TestCallsPerMutation holds every mutation's happy path to the number of calls to Clerk that the contract allows.
func TestCallsPerMutation(t *testing.T) {
	for name, row := range map[string]struct {
		success string
		calls   map[string]int
	}{
		"session": {"SessionCreated", map[string]int{
			"signUp": 2, "resendVerification": 2, "verifyEmail": 3, "signIn": 4, "requestPasswordReset": 2, "resetPassword": 4,
			"signIn, half": 2, "attemptSecondFactor": 3, "prepareSecondFactor": 1, "attemptSecondFactor, by mail": 4,
			"refreshSession": 1, "signOut": 1, "revokeSession": 2, "signOutEverywhere": 2,
		}},
		"ticket": {"SignInTicketIssued", map[string]int{
			"signUp": 2, "resendVerification": 2, "verifyEmail": 3, "signIn": 3, "requestPasswordReset": 2, "resetPassword": 3,
			"signIn, half": 2, "attemptSecondFactor": 2, "prepareSecondFactor": 1, "attemptSecondFactor, by mail": 3,
		}},
		// One of each sign-in's calls goes to the Frontend API, which the limit of the Backend API does not count.
		"exchange": {"SessionCreated", map[string]int{
			"signUp": 2, "resendVerification": 2, "verifyEmail": 4, "signIn": 4, "requestPasswordReset": 2, "resetPassword": 4,
			"signIn, half": 2, "attemptSecondFactor": 3, "prepareSecondFactor": 1, "attemptSecondFactor, by mail": 4,
			"refreshSession": 1, "signOut": 1, "revokeSession": 2, "signOutEverywhere": 2,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk, "--session-mode="+name, "--clerk-frontend-api-url="+clerk.FrontendAPIURL())
			token := ""
			counted := func(typename, key string, input map[string]any) member {
				t.Helper()
				clerk.ResetCalls()
				mutation, _, _ := strings.Cut(key, ",")
				result := a.wantAs(t, token, typename, mutation, input)
				want, listed := row.calls[key]
				if calls := clerk.Calls(); !listed || len(calls) > want {
					t.Errorf("%s made %d calls to Clerk, want at most %d: %v", key, len(calls), want, calls)
				}
				return result
			}

			started := counted("VerificationRequired", "signUp", map[string]any{"email": email, "password": password})
			firstCode := code(t, clerk, email)
			counted("VerificationSent", "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
			counted(row.success, "verifyEmail", map[string]any{
				"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": firstCode,
			})
			counted(row.success, "signIn", map[string]any{"email": email, "password": password})
			sent := counted("PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})
			session := counted(row.success, "resetPassword", map[string]any{
				"signInId": sent["signInId"], "code": code(t, clerk, email), "newPassword": newPassword,
			})
			if row.success == "SessionCreated" {
				other := a.want(t, row.success, "signIn", map[string]any{"email": email, "password": newPassword})
				counted("SessionRefreshed", "refreshSession", map[string]any{"refreshToken": session["refreshToken"]})
				token = session.text("sessionToken")
				a.viewer(t, bearer(token)) // has the server fetch the keys, once
				clerk.ResetCalls()
				if a.viewer(t, bearer(token)); len(clerk.Calls()) > 0 {
					t.Errorf("viewer made these calls: %v", clerk.Calls())
				}
				counted("SessionRevoked", "revokeSession", map[string]any{"sessionId": other["sessionId"]})
				counted("SignedOutEverywhere", "signOutEverywhere", nil)
				token = ""
				counted("SignedOut", "signOut", map[string]any{"refreshToken": session["refreshToken"]})
			}

			seed(t, clerk, clerkemu.UserSeed{EmailAddress: "totp@example.com", Password: password, TOTPSecret: totpSecret})
			half := counted("SecondFactorRequired", "signIn, half", map[string]any{"email": "totp@example.com", "password": password})
			counted(row.success, "attemptSecondFactor", attempt(half["signInId"], "TOTP", totpCode(t, clerk, "totp@example.com")))

			a = startAPI(t, clerk, "--session-mode="+name, "--clerk-frontend-api-url="+clerk.FrontendAPIURL(), "--new-device-check=email_code")
			half = counted("SecondFactorRequired", "signIn, half", map[string]any{"email": email, "password": newPassword})
			mailed := counted("SecondFactorPrepared", "prepareSecondFactor", map[string]any{"signInId": half["signInId"], "strategy": "EMAIL_CODE"})
			counted(row.success, "attemptSecondFactor, by mail", attempt(mailed["signInId"], "EMAIL_CODE", code(t, clerk, email)))
		})
	}
}

// TestRestartBetweenAnyTwoSteps kills the API after every step. What goes on is another process with the same keys.
func TestRestartBetweenAnyTwoSteps(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	step := func(typename, mutation string, input map[string]any) member {
		t.Helper()
		result := a.want(t, typename, mutation, input)
		a.kill(t)
		a = startAPI(t, clerk)
		return result
	}

	started := step("VerificationRequired", "signUp", map[string]any{"email": email, "password": password})
	resent := step("VerificationSent", "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
	verify := map[string]any{
		"emailAddressId": started["emailAddressId"], "verificationId": resent["verificationId"], "code": code(t, clerk, email),
	}
	mistyped := map[string]any{"emailAddressId": verify["emailAddressId"], "verificationId": verify["verificationId"], "code": wrong(verify["code"].(string))}
	step("InvalidCode", "verifyEmail", mistyped)
	session := step("SessionCreated", "verifyEmail", verify)
	refreshed := step("SessionRefreshed", "refreshSession", map[string]any{"refreshToken": session["refreshToken"]})
	step("SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	sent := step("PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})
	reset := map[string]any{"signInId": sent["signInId"], "code": code(t, clerk, email), "newPassword": "password123"}
	rejected := step("PasswordRejected", "resetPassword", reset)
	step("SessionCreated", "resetPassword", map[string]any{
		"signInId": rejected["signInId"], "code": reset["code"], "newPassword": newPassword,
	})

	got := a.query(t, `{ viewer { userId } }`, nil, http.Header{"Authorization": {"Bearer " + refreshed.text("sessionToken")}})
	if got.errorCode() != "" {
		t.Errorf("the session token of before is not accepted: %s", got.Raw)
	}

	user, _ := clerk.UserByEmail(email)
	if err := clerk.EnableTOTP(user.ID, totpSecret); err != nil {
		t.Fatal(err)
	}
	half := step("SecondFactorRequired", "signIn", map[string]any{"email": email, "password": newPassword})
	step("SessionCreated", "attemptSecondFactor", attempt(half["signInId"], "TOTP", totpCode(t, clerk, email)))
}
