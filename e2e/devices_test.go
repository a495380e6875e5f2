package e2e

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// prepared has a code mailed for an unfinished sign-in and returns the input of attemptSecondFactor, code included.
func (a *api) prepared(t testing.TB, clerk *clerkemu.Server, email string, signInID any) map[string]any {
	t.Helper()
	sent := a.want(t, "SecondFactorPrepared", "prepareSecondFactor", map[string]any{"signInId": signInID, "strategy": "EMAIL_CODE"})
	return attempt(sent["signInId"], "EMAIL_CODE", code(t, clerk, email))
}

// TestNewDevices asks for a mailed code on a device that is new, and not on one that is known.
func TestNewDevices(t *testing.T) {
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			clerk := clerkemu.RunT(t, mode.options)
			a := startAPI(t, clerk, append(mode.flags(clerk), "--new-device-check=email_code")...)
			user := seed(t, clerk, ada())
			credentials := map[string]any{"email": email, "password": password}

			unknown := a.want(t, "SecondFactorRequired", "signIn", credentials)
			if steps := nextSteps(unknown); !slices.Equal(steps, []string{"EMAIL_CODE"}) {
				t.Errorf("steps: %v", steps)
			}
			if len(clerk.Sessions(user.ID))+len(clerk.SignInTokens(user.ID))+len(clerk.Mail(email)) > 0 {
				t.Error("there is a session or a mail before it was asked for")
			}
			known := a.want(t, mode.success, "attemptSecondFactor", a.prepared(t, clerk, email, unknown["signInId"]))
			if known.text("deviceToken") == "" {
				t.Fatalf("no device token: %v", known)
			}
			credentials["deviceToken"] = known["deviceToken"]
			if again := a.want(t, mode.success, "signIn", credentials); again["deviceToken"] != nil {
				t.Error("a password alone makes a device known")
			}

			// What proves more than a password makes a device known, too.
			reset := a.want(t, mode.success, "resetPassword", a.reset(t, clerk, email, newPassword))
			credentials["password"] = newPassword
			a.want(t, "SecondFactorRequired", "signIn", credentials) // the old token went with the old password
			credentials["deviceToken"] = reset["deviceToken"]
			a.want(t, mode.success, "signIn", credentials)

			signedUp := a.want(t, mode.success, "verifyEmail", a.signUp(t, clerk, "new@example.com", password))
			a.want(t, mode.success, "signIn", map[string]any{"email": "new@example.com", "password": password, "deviceToken": signedUp["deviceToken"]})
		})
	}
}

// TestDeviceTokensThatAreNone has tokens that leave a device unknown. They are no error.
func TestDeviceTokensThatAreNone(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--new-device-check=email_code")
	seed(t, clerk, ada())
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password})
	other := a.want(t, "SessionCreated", "attemptSecondFactor", a.prepared(t, clerk, "other@example.com", a.signInHalf(t, "other@example.com", password)))
	for name, token := range map[string]any{
		"none":             nil,
		"empty":            "",
		"made up":          "v4.local.AAAA",
		"somebody else's":  other["deviceToken"],
		"a refresh token":  other["refreshToken"],
		"another's signIn": a.signInHalf(t, email, password),
	} {
		t.Run(name, func(t *testing.T) {
			a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password, "deviceToken": token})
		})
	}
}

// TestBadMailedCodes has every mailed second factor that must not be accepted, with its exact answer.
func TestBadMailedCodes(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--new-device-check=email_code")
	user, other := seed(t, clerk, ada()), seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password})
	half := func(email string) any { return a.signInHalf(t, email, password) }

	right := a.prepared(t, clerk, email, half(email))
	mistyped := attempt(right["signInId"], "EMAIL_CODE", wrong(right["code"].(string)))
	if result := a.want(t, "InvalidCode", "attemptSecondFactor", mistyped); result["attemptsRemaining"] != 4.0 {
		t.Errorf("got %v", result)
	}
	theirs := a.prepared(t, clerk, other.EmailAddress, half(other.EmailAddress))
	if theirs["code"] != right["code"] {
		a.want(t, "InvalidCode", "attemptSecondFactor", attempt(right["signInId"], "EMAIL_CODE", theirs["code"].(string)))
	}
	done := a.want(t, "SessionCreated", "attemptSecondFactor", right)
	a.want(t, "VerificationExpired", "attemptSecondFactor", right)
	mails := len(clerk.Mail(email))
	a.want(t, "VerificationExpired", "prepareSecondFactor", map[string]any{"signInId": right["signInId"], "strategy": "EMAIL_CODE"})
	if len(clerk.Mail(email)) != mails {
		t.Error("a code was mailed for a sign-in that is finished")
	}

	// The same code with another sign-in of the same user: it was not sent for that one.
	a.want(t, "InvalidInput", "attemptSecondFactor", attempt(half(email), "EMAIL_CODE", right["code"].(string)))

	expired := a.prepared(t, clerk, email, half(email))
	clerk.FastForward(11 * time.Minute)
	a.want(t, "VerificationExpired", "attemptSecondFactor", expired)

	banned := a.prepared(t, clerk, email, half(email))
	if err := clerk.SetBanned(user.ID, true); err != nil {
		t.Fatal(err)
	}
	a.want(t, "AccountBanned", "attemptSecondFactor", banned)
	if err := clerk.SetBanned(user.ID, false); err != nil {
		t.Fatal(err)
	}

	// TOTP that is turned on meanwhile is asked for, and the mailed code does not stand in for it.
	before := len(clerk.Sessions(user.ID))
	enabled := a.prepared(t, clerk, email, half(email))
	if err := clerk.EnableTOTP(user.ID, totpSecret); err != nil {
		t.Fatal(err)
	}
	required := a.want(t, "SecondFactorRequired", "attemptSecondFactor", enabled)
	if steps := nextSteps(required); !slices.Equal(steps, []string{"TOTP"}) {
		t.Errorf("steps: %v", steps)
	}
	if after := len(clerk.Sessions(user.ID)); after != before {
		t.Errorf("%d sessions before, %d after", before, after)
	}
	a.want(t, "SessionCreated", "attemptSecondFactor", attempt(required["signInId"], "TOTP", totpCode(t, clerk, email)))
	a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password, "deviceToken": done["deviceToken"]})
}

// TestTheCodeOfANewDeviceIsSentAgain has two codes for one sign-in, and Clerk's pause between them.
func TestTheCodeOfANewDeviceIsSentAgain(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.ResendInterval = 30 * time.Second })
	a := startAPI(t, clerk, "--new-device-check=email_code")
	seed(t, clerk, ada())
	first := a.prepared(t, clerk, email, a.signInHalf(t, email, password))
	limited := a.want(t, "RateLimited", "prepareSecondFactor", map[string]any{"signInId": first["signInId"], "strategy": "EMAIL_CODE"})
	if limited["retryAfterSeconds"] != 30.0 {
		t.Errorf("got %v", limited)
	}
	clerk.FastForward(31 * time.Second)
	second := a.prepared(t, clerk, email, first["signInId"])
	a.want(t, "SessionCreated", "attemptSecondFactor", second)
	a.want(t, "VerificationExpired", "attemptSecondFactor", first)
	a.want(t, "InvalidInput", "prepareSecondFactor", map[string]any{"signInId": "v4.local.AAAA", "strategy": "EMAIL_CODE"})
}

// TestClerkCountsAsWell has an instance that lets a code be tried three times.
func TestClerkCountsAsWell(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.CodeAttempts = 3 })
	a := startAPI(t, clerk, "--new-device-check=email_code", "--code-attempts=3")
	seed(t, clerk, ada())
	mistyped := a.prepared(t, clerk, email, a.signInHalf(t, email, password))
	mistyped["code"] = wrong(mistyped["code"].(string))
	for _, remaining := range []float64{2, 1} {
		if result := a.want(t, "InvalidCode", "attemptSecondFactor", mistyped); result["attemptsRemaining"] != remaining {
			t.Errorf("%v attempts remain, want %v", result["attemptsRemaining"], remaining)
		}
	}
	a.want(t, "VerificationExpired", "attemptSecondFactor", mistyped)
	// Another code goes on, as far as the sign-in does.
	a.want(t, "SessionCreated", "attemptSecondFactor", a.prepared(t, clerk, email, mistyped["signInId"]))
}

// TestTheAccountIsGone deletes an account whose sign-in is unfinished.
func TestTheAccountIsGone(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--new-device-check=email_code")
	user := seed(t, clerk, ada())
	prepared := a.prepared(t, clerk, email, a.signInHalf(t, email, password))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, clerk.APIURL()+"/users/"+user.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+clerk.SecretKey())
	resp, err := httpClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the account was not deleted: %v", err)
	}
	defer resp.Body.Close()
	a.want(t, "VerificationExpired", "prepareSecondFactor", map[string]any{"signInId": prepared["signInId"], "strategy": "EMAIL_CODE"})
	a.want(t, "VerificationExpired", "attemptSecondFactor", prepared)
}
