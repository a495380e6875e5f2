package e2e

import (
	"testing"
	"time"

	"clerkql/clerkemu"
)

const totpSecret = "JBSWY3DPEHPK3PXP"

// TestBarredAccounts has the accounts that may not sign in, in every mutation that signs in. None may get a session, and
// nobody is told before the right password or code.
func TestBarredAccounts(t *testing.T) {
	for _, mode := range []string{"session", "ticket"} {
		for _, state := range []struct {
			name, want string
			set        func(*clerkemu.Server, string) error
		}{
			{"banned", "AccountBanned", func(s *clerkemu.Server, id string) error { return s.SetBanned(id, true) }},
			{"locked", "AccountLocked", func(s *clerkemu.Server, id string) error { return s.SetLocked(id, true) }},
			{"deprovisioned", "AccountBanned", func(s *clerkemu.Server, id string) error { return s.SetDeprovisioned(id, true) }},
			{"with TOTP", "SecondFactorRequired", func(s *clerkemu.Server, id string) error { return s.EnableTOTP(id, totpSecret) }},
		} {
			t.Run(mode+" mode, "+state.name, func(t *testing.T) {
				clerk := clerkemu.RunT(t)
				a := startAPI(t, clerk, "--session-mode="+mode)
				set := func(id string) {
					t.Helper()
					if err := state.set(clerk, id); err != nil {
						t.Fatal(err)
					}
				}

				known := seed(t, clerk, ada())
				reset := a.reset(t, clerk, email, newPassword)
				set(known.ID)
				a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": "not the password"})
				a.want(t, state.want, "signIn", map[string]any{"email": email, "password": password})
				a.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})
				a.want(t, state.want, "resetPassword", reset)

				// While the code of an unfinished sign-up is on its way.
				const unfinished = "unfinished@example.com"
				verify := a.signUp(t, clerk, unfinished, password)
				resent := a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
				verify["verificationId"], verify["code"] = resent["verificationId"], code(t, clerk, unfinished)
				pending, _ := clerk.UserByEmail(unfinished)
				set(pending.ID)
				a.want(t, state.want, "verifyEmail", verify)

				for _, id := range []string{known.ID, pending.ID} {
					if len(clerk.Sessions(id)) > 0 || len(clerk.SignInTokens(id)) > 0 {
						t.Errorf("user %s got a session or a ticket", id)
					}
				}
			})
		}
	}
}

// TestBannedWhileTheFirstCodeIsOnItsWay is the one path on which the user is not looked at again in session mode: Clerk
// refuses the session.
func TestBannedWhileTheFirstCodeIsOnItsWay(t *testing.T) {
	for _, mode := range []string{"session", "ticket"} {
		for name, set := range map[string]func(*clerkemu.Server, string) error{
			"AccountBanned": func(s *clerkemu.Server, id string) error { return s.SetBanned(id, true) },
			"AccountLocked": func(s *clerkemu.Server, id string) error { return s.SetLocked(id, true) },
		} {
			t.Run(mode+" mode, "+name, func(t *testing.T) {
				clerk := clerkemu.RunT(t)
				a := startAPI(t, clerk, "--session-mode="+mode)
				verify := a.signUp(t, clerk, email, password)
				user, _ := clerk.UserByEmail(email)
				if err := set(clerk, user.ID); err != nil {
					t.Fatal(err)
				}
				a.want(t, name, "verifyEmail", verify)
				if len(clerk.Sessions(user.ID)) > 0 || len(clerk.SignInTokens(user.ID)) > 0 {
					t.Error("there is a session or a ticket")
				}
			})
		}
	}
}

func TestSecondFactorsOfTheAccount(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := ada()
	user.TOTPSecret, user.BackupCodes = totpSecret, []string{"aaaa-bbbb", "cccc-dddd"}
	seed(t, clerk, user)
	result := a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password})
	steps, _ := result["nextSteps"].([]any)
	if len(steps) != 2 || steps[0] != "TOTP" || steps[1] != "BACKUP_CODE" || result.text("signInId") == "" {
		t.Errorf("got %v", result)
	}
	// What was proved so far is no proof of a reset code.
	a.want(t, "InvalidInput", "resetPassword", map[string]any{
		"signInId": result["signInId"], "code": "123456", "newPassword": newPassword,
	})
}

func TestSignInWithAnUnverifiedAddress(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.ResendInterval = 30 * time.Second })
	a := startAPI(t, clerk)
	a.signUp(t, clerk, email, password)
	user, _ := clerk.UserByEmail(email)

	a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": "not the password"})
	soon := a.want(t, "EmailNotVerified", "signIn", map[string]any{"email": email, "password": password})
	if soon["verificationId"] != nil || soon["resendAfterSeconds"] == nil {
		t.Errorf("moments after the first code: %v", soon)
	}
	a.want(t, "RateLimited", "resendVerification", map[string]any{"emailAddressId": soon["emailAddressId"]})
	a.want(t, "RateLimited", "signUp", map[string]any{"email": email, "password": password})

	clerk.FastForward(31 * time.Second)
	later := a.want(t, "EmailNotVerified", "signIn", map[string]any{"email": email, "password": password})
	if later["verificationId"] == nil || later["resendAfterSeconds"] != nil || later["codeExpiresAt"] == nil {
		t.Errorf("when a code can be sent: %v", later)
	}
	if len(clerk.Sessions(user.ID)) > 0 {
		t.Error("there is a session")
	}
	a.want(t, "SessionCreated", "verifyEmail", map[string]any{
		"emailAddressId": later["emailAddressId"], "verificationId": later["verificationId"], "code": code(t, clerk, email),
	})
}

// TestACodeDoesNotSignInPastAVerifiedAddress is rule 1: of two codes under way, the second must not become a session.
func TestACodeDoesNotSignInPastAVerifiedAddress(t *testing.T) {
	for _, mode := range []string{"session", "ticket"} {
		t.Run(mode+" mode", func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk, "--session-mode="+mode)
			verify := a.signUp(t, clerk, email, password)
			resent := a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
			second := map[string]any{
				"emailAddressId": verify["emailAddressId"], "verificationId": resent["verificationId"], "code": code(t, clerk, email),
			}
			a.do(t, "verifyEmail", verify)
			user, _ := clerk.UserByEmail(email)
			before := len(clerk.Sessions(user.ID)) + len(clerk.SignInTokens(user.ID))
			a.want(t, "AlreadyVerified", "verifyEmail", second)
			if after := len(clerk.Sessions(user.ID)) + len(clerk.SignInTokens(user.ID)); before != 1 || after != 1 {
				t.Errorf("sessions and tickets: %d after the first code, %d after the second", before, after)
			}
		})
	}
}

// TestNothingTellsWhetherAnAccountExists is the content half of rule 3.
func TestNothingTellsWhetherAnAccountExists(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.ResendInterval = 30 * time.Second })
	a := startAPI(t, clerk)
	addresses := map[string]string{"absent": "absent@example.com"}
	for class, user := range map[string]clerkemu.UserSeed{
		"verified":      {Password: password},
		"unverified":    {Password: password, Reserved: true},
		"banned":        {Password: password, Banned: true},
		"locked":        {Password: password, Locked: true},
		"deprovisioned": {Password: password, Deprovisioned: true},
		"passwordless":  {},
	} {
		user.EmailAddress = class + "@example.com"
		seed(t, clerk, user)
		addresses[class] = user.EmailAddress
	}

	for class, address := range addresses {
		a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": address, "password": "not the password"})
		// The second request comes while Clerk refuses to send another code.
		for _, when := range []string{"first", "again"} {
			sent := a.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": address})
			if want := len("v4.local.") + 598; len(sent.text("signInId")) != want {
				t.Errorf("%s, %s: a handle of %d characters, want %d", class, when, len(sent.text("signInId")), want)
			}
			wrongCode := map[string]any{"signInId": sent["signInId"], "code": "123456", "newPassword": newPassword}
			if mail := clerk.Mail(address); len(mail) > 0 {
				wrongCode["code"] = wrong(mail[0].Code)
			}
			for range 6 {
				a.want(t, "InvalidCode", "resetPassword", wrongCode)
			}
			wrongCode["newPassword"] = "short"
			rejected := a.want(t, "PasswordRejected", "resetPassword", wrongCode)
			if rejected["signInId"] != sent["signInId"] {
				t.Errorf("%s, %s: another handle after a short password", class, when)
			}
		}
	}
}

// TestARefusedPasswordCostsNoNewCode is rule 4, with its limits: the proof is of use once.
func TestARefusedPasswordCostsNoNewCode(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, ada())
	reset := a.reset(t, clerk, email, "correcthorsebatterystaple") // leaked: Clerk alone knows
	rejected := a.want(t, "PasswordRejected", "resetPassword", reset)
	if violations(rejected) != "NOT_LEAKED" {
		t.Errorf("violations: %s", violations(rejected))
	}
	again := a.want(t, "PasswordRejected", "resetPassword", map[string]any{
		"signInId": rejected["signInId"], "code": reset["code"], "newPassword": email,
	})
	mails := len(clerk.Mail(email))
	proved := map[string]any{"signInId": again["signInId"], "code": reset["code"], "newPassword": newPassword}
	a.want(t, "SessionCreated", "resetPassword", proved)
	if len(clerk.Mail(email)) != mails {
		t.Error("a new code was sent")
	}
	a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": newPassword})

	sessions := len(clerk.Sessions(user.ID))
	proved["newPassword"] = "a third password"
	a.want(t, "VerificationExpired", "resetPassword", proved)
	proved["signInId"] = rejected["signInId"]
	a.want(t, "VerificationExpired", "resetPassword", proved)
	if len(clerk.Sessions(user.ID)) != sessions {
		t.Error("a used reset gave a session")
	}
	a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": newPassword})
}
