package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"clerkql/clerkemu"
)

// totpCode returns what the user's authenticator app shows.
func totpCode(t testing.TB, clerk *clerkemu.Server, email string) string {
	t.Helper()
	user, _ := clerk.UserByEmail(email)
	code, err := clerk.TOTPCode(user.ID)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// withTOTP returns an account with both of the second factors that Clerk can check.
func withTOTP() clerkemu.UserSeed {
	user := ada()
	user.TOTPSecret, user.BackupCodes = totpSecret, []string{"aaaabbbb", "ccccdddd"}
	return user
}

// attempt is the input of attemptSecondFactor.
func attempt(signInID any, strategy, code string) map[string]any {
	return map[string]any{"signInId": signInID, "strategy": strategy, "code": code}
}

// signInHalf signs in with the password and returns the signInId of a sign-in that lacks its second factor.
func (a *api) signInHalf(t testing.TB, email, password string) any {
	t.Helper()
	return a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password})["signInId"]
}

func nextSteps(result member) []string {
	var names []string
	steps, _ := result["nextSteps"].([]any)
	for _, step := range steps {
		names = append(names, step.(string))
	}
	return names
}

// TestSecondFactor finishes every flow that signs in, with every second factor, in every session mode.
func TestSecondFactor(t *testing.T) {
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			clerk := clerkemu.RunT(t, mode.options)
			a := startAPI(t, clerk, mode.flags(clerk)...)
			user := seed(t, clerk, withTOTP())

			first := a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password})
			if steps := nextSteps(first); !slices.Equal(steps, []string{"TOTP", "BACKUP_CODE"}) {
				t.Errorf("steps: %v", steps)
			}
			if len(clerk.Sessions(user.ID))+len(clerk.SignInTokens(user.ID)) > 0 {
				t.Error("there is a session before the second factor")
			}
			spaced := totpCode(t, clerk, email)
			if done := a.want(t, mode.success, "attemptSecondFactor", attempt(first["signInId"], "TOTP", spaced[:3]+" "+spaced[3:])); done["deviceToken"] != nil {
				t.Error("a device token, where devices are not checked")
			}
			a.want(t, mode.success, "attemptSecondFactor", attempt(a.signInHalf(t, email, password), "BACKUP_CODE", " aaaabbbb "))

			reset := a.want(t, "SecondFactorRequired", "resetPassword", a.reset(t, clerk, email, newPassword))
			a.want(t, mode.success, "attemptSecondFactor", attempt(reset["signInId"], "BACKUP_CODE", "ccccdddd"))

			const unfinished = "unfinished@example.com"
			verify := a.signUp(t, clerk, unfinished, password)
			resent := a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
			verify["verificationId"], verify["code"] = resent["verificationId"], code(t, clerk, unfinished)
			pending, _ := clerk.UserByEmail(unfinished)
			if err := clerk.EnableTOTP(pending.ID, totpSecret); err != nil {
				t.Fatal(err)
			}
			verified := a.want(t, "SecondFactorRequired", "verifyEmail", verify)
			if steps := nextSteps(verified); !slices.Equal(steps, []string{"TOTP"}) {
				t.Errorf("steps without backup codes: %v", steps)
			}
			a.want(t, mode.success, "attemptSecondFactor", attempt(verified["signInId"], "TOTP", totpCode(t, clerk, unfinished)))
		})
	}
}

// TestBadSecondFactors has every second factor that must not be accepted, with its exact answer. None may leave a session.
func TestBadSecondFactors(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	checking := startAPI(t, clerk, "--new-device-check=email_code")
	for _, row := range []struct {
		name    string
		prepare func(t *testing.T, user, other clerkemu.User) map[string]any
		want    string
	}{
		{"a wrong TOTP code", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", wrong(totpCode(t, clerk, user.EmailAddress)))
		}, "InvalidCode"},
		{"a wrong backup code", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", "eeeeffff")
		}, "InvalidCode"},
		{"a TOTP code of another user", func(t *testing.T, user, other clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", totpCode(t, clerk, other.EmailAddress))
		}, "InvalidCode"},
		{"a backup code of another user", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", "other001")
		}, "InvalidCode"},
		{"a backup code that was used", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			done := a.want(t, "SessionCreated", "attemptSecondFactor", attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", "aaaabbbb"))
			a.want(t, "SignedOut", "signOut", map[string]any{"refreshToken": done["refreshToken"]})
			return attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", "aaaabbbb")
		}, "InvalidCode"},
		{"a TOTP code again, after success", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			again := attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", totpCode(t, clerk, user.EmailAddress))
			done := a.want(t, "SessionCreated", "attemptSecondFactor", again)
			a.want(t, "SignedOut", "signOut", map[string]any{"refreshToken": done["refreshToken"]})
			return again
		}, "VerificationExpired"},
		{"another code, after success", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			again := attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", totpCode(t, clerk, user.EmailAddress))
			done := a.want(t, "SessionCreated", "attemptSecondFactor", again)
			a.want(t, "SignedOut", "signOut", map[string]any{"refreshToken": done["refreshToken"]})
			return attempt(again["signInId"], "BACKUP_CODE", "ccccdddd")
		}, "VerificationExpired"},
		{"a sixth code, after five wrong ones", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			signInID, right := a.signInHalf(t, user.EmailAddress, password), totpCode(t, clerk, user.EmailAddress)
			for remaining := 4; remaining >= 0; remaining-- {
				result := a.want(t, "InvalidCode", "attemptSecondFactor", attempt(signInID, "TOTP", wrong(right)))
				if result["attemptsRemaining"] != float64(remaining) {
					t.Errorf("%v attempts remain, want %d", result["attemptsRemaining"], remaining)
				}
			}
			return attempt(signInID, "TOTP", right)
		}, "VerificationExpired"},
		{"an eleventh code, over three sign-ins", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			right := totpCode(t, clerk, user.EmailAddress)
			for range 2 {
				signInID := a.signInHalf(t, user.EmailAddress, password)
				for range 5 {
					a.want(t, "InvalidCode", "attemptSecondFactor", attempt(signInID, "TOTP", wrong(right)))
				}
			}
			return attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", right)
		}, "RateLimited"},
		{"a backup code, of an account without", func(t *testing.T, _, other clerkemu.User) map[string]any {
			only := clerkemu.UserSeed{EmailAddress: "totp-only-" + other.EmailAddress, Password: password, TOTPSecret: totpSecret}
			seed(t, clerk, only)
			return attempt(a.signInHalf(t, only.EmailAddress, password), "BACKUP_CODE", totpCode(t, clerk, only.EmailAddress))
		}, "InvalidInput strategy:NOT_AVAILABLE"},
		{"the signInId of a password reset", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			sent := a.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": user.EmailAddress})
			return attempt(sent["signInId"], "TOTP", totpCode(t, clerk, user.EmailAddress))
		}, "InvalidInput signInId:INVALID_HANDLE"},
		{"an emailAddressId", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			started := a.signUp(t, clerk, "new-"+user.EmailAddress, password)
			return attempt(started["emailAddressId"], "TOTP", totpCode(t, clerk, user.EmailAddress))
		}, "InvalidInput signInId:INVALID_HANDLE"},
		{"a code by mail, of an account with TOTP", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			signInID := a.signInHalf(t, user.EmailAddress, password)
			result := a.want(t, "InvalidInput", "prepareSecondFactor", map[string]any{"signInId": signInID, "strategy": "EMAIL_CODE"})
			if problems := fieldProblems(result); problems != "strategy:NOT_AVAILABLE" {
				t.Errorf("prepareSecondFactor: %s", problems)
			}
			return attempt(signInID, "EMAIL_CODE", "123456")
		}, "InvalidInput strategy:NOT_AVAILABLE"},
		{"banned meanwhile", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			signInID := a.signInHalf(t, user.EmailAddress, password)
			if err := clerk.SetBanned(user.ID, true); err != nil {
				t.Fatal(err)
			}
			return attempt(signInID, "TOTP", totpCode(t, clerk, user.EmailAddress))
		}, "AccountBanned"},
		{"locked meanwhile", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			signInID := a.signInHalf(t, user.EmailAddress, password)
			if err := clerk.SetLocked(user.ID, true); err != nil {
				t.Fatal(err)
			}
			return attempt(signInID, "TOTP", totpCode(t, clerk, user.EmailAddress))
		}, "AccountLocked"},
		{"letters for a TOTP code", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "TOTP", "aaaabb")
		}, "InvalidInput code:INVALID_FORMAT"},
		{"no backup code", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", "  ")
		}, "InvalidInput code:REQUIRED"},
		{"an oversized backup code", func(t *testing.T, user, _ clerkemu.User) map[string]any {
			return attempt(a.signInHalf(t, user.EmailAddress, password), "BACKUP_CODE", strings.Repeat("a", 10_000))
		}, "InvalidInput code:TOO_LONG"},
		{"a code by mail that was not sent", func(t *testing.T, _, other clerkemu.User) map[string]any {
			return attempt(checking.signInHalf(t, "plain-"+other.EmailAddress, password), "EMAIL_CODE", "123456")
		}, "InvalidInput signInId:INVALID_HANDLE"},
		{"TOTP, of an account without", func(t *testing.T, _, other clerkemu.User) map[string]any {
			return attempt(checking.signInHalf(t, "plain-"+other.EmailAddress, password), "TOTP", totpCode(t, clerk, other.EmailAddress))
		}, "InvalidInput strategy:NOT_AVAILABLE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			slug := strings.Map(func(r rune) rune {
				if r >= 'a' && r <= 'z' {
					return r
				}
				return -1
			}, row.name)
			user := withTOTP()
			user.EmailAddress = slug + "@example.com"
			seeded := seed(t, clerk, user)
			user.EmailAddress, user.TOTPSecret, user.BackupCodes = "other-"+slug+"@example.com", "KRSXG5CTMVRXEZLU", []string{"other001"}
			other := seed(t, clerk, user)
			seed(t, clerk, clerkemu.UserSeed{EmailAddress: "plain-" + other.EmailAddress, Password: password})

			result := a.do(t, "attemptSecondFactor", row.prepare(t, seeded, other))
			if got := strings.TrimSpace(result.typename() + " " + fieldProblems(result)); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if active := activeSessions(clerk, seeded.ID); len(active) > 0 {
				t.Errorf("sessions: %v", active)
			}
		})
	}
}

// TestOneCodeOneSession sends the right code ten times at once.
func TestOneCodeOneSession(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, withTOTP())
	right := attempt(a.signInHalf(t, email, password), "TOTP", totpCode(t, clerk, email))
	body, err := json.Marshal(map[string]any{"query": contract.document("attemptSecondFactor"), "variables": map[string]any{"input": right}})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 10)
	var all sync.WaitGroup
	for range cap(answers) {
		all.Go(func() {
			got, err := a.send(t.Context(), string(body), nil)
			if err != nil {
				t.Error(err)
			}
			answers <- got.Raw
		})
	}
	all.Wait()
	close(answers)
	created := 0
	for raw := range answers {
		switch {
		case strings.Contains(raw, `"__typename":"SessionCreated"`):
			created++
		case !strings.Contains(raw, `"__typename":"RateLimited"`) && !strings.Contains(raw, `"__typename":"VerificationExpired"`):
			t.Errorf("got %s", raw)
		}
	}
	if sessions := clerk.Sessions(user.ID); len(sessions) != 1 || created != 1 {
		t.Errorf("%d sessions, %d answers with one", len(sessions), created)
	}
}

// TestASecondFactorOutlivesAFailure has making the session fail once the second factor was accepted: no second one is asked for.
func TestASecondFactorOutlivesAFailure(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, withTOTP())
	input := attempt(a.signInHalf(t, email, password), "BACKUP_CODE", "aaaabbbb")
	inject(t, clerk, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultStatus, Status: 500, Times: 1})
	failed := a.want(t, "ServiceUnavailable", "attemptSecondFactor", input)
	// The sign-in goes on with what was accepted, not with another code.
	a.want(t, "VerificationExpired", "attemptSecondFactor", attempt(input["signInId"], "BACKUP_CODE", "ccccdddd"))
	a.want(t, "VerificationExpired", "attemptSecondFactor", attempt(input["signInId"], "TOTP", totpCode(t, clerk, email)))
	input["signInId"] = failed["resumeSignInId"]
	inject(t, clerk, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultStatus, Status: 429, Times: 1})
	limited := a.want(t, "RateLimited", "attemptSecondFactor", input)
	input["signInId"] = limited["resumeSignInId"]
	a.recover(t, clerk)
	a.want(t, "SessionCreated", "attemptSecondFactor", input)
	a.want(t, "VerificationExpired", "attemptSecondFactor", input)
	if left, _ := clerk.UserByID(user.ID); left.BackupCodes != 1 || len(clerk.Sessions(user.ID)) != 1 {
		t.Errorf("%d backup codes are left, %d sessions were made", left.BackupCodes, len(clerk.Sessions(user.ID)))
	}
}

// TestBackupCodesAloneAreNoSecondFactor has backup codes left over from a second factor that was turned off.
func TestBackupCodesAloneAreNoSecondFactor(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := ada()
	user.BackupCodes = []string{"aaaabbbb"}
	seed(t, clerk, user)
	a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
}
