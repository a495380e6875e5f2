package e2e

import (
	"testing"
	"time"

	"clerkql/clerkemu"
)

// TestAnswersTakeAlikeLong is the other half of rule 3, as far as a clock that only has to run long enough can tell: no class of accounts is
// answered earlier than any other may be. bench/timing measures how well they can be told apart.
func TestAnswersTakeAlikeLong(t *testing.T) {
	const floor = 300 * time.Millisecond
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--answer-floor="+floor.String())
	classes := map[string]clerkemu.UserSeed{
		"verified":     {Password: password},
		"unverified":   {Password: password, Reserved: true},
		"abandoned":    {Password: password, Reserved: true, PrivateMetadata: map[string]any{"clerkql_sign_up": true}},
		"banned":       {Password: password, Banned: true},
		"locked":       {Password: password, Locked: true},
		"passwordless": {},
	}
	for class, user := range classes {
		user.EmailAddress = class + "@example.com"
		seed(t, clerk, user)
	}
	classes["absent"] = clerkemu.UserSeed{}
	for class := range classes {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			address := class + "@example.com"
			timed := func(typename, mutation string, input map[string]any) member {
				began := time.Now()
				result := a.want(t, typename, mutation, input)
				if took := time.Since(began); took < floor {
					t.Errorf("%s took %v", mutation, took)
				}
				return result
			}
			timed("InvalidCredentials", "signIn", map[string]any{"email": address, "password": "not the password"})
			sent := timed("PasswordResetSent", "requestPasswordReset", map[string]any{"email": address})
			wrongCode := map[string]any{"signInId": sent["signInId"], "code": "123456", "newPassword": newPassword}
			if mail := clerk.Mail(address); len(mail) > 0 {
				wrongCode["code"] = wrong(mail[0].Code)
			}
			timed("InvalidCode", "resetPassword", wrongCode)
		})
	}
}

// TestStrictSignUpTakesAlikeLong holds that nobody's address is answered earlier than any other may be.
func TestStrictSignUpTakesAlikeLong(t *testing.T) {
	const floor = 300 * time.Millisecond
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := startAPI(t, clerk, "--sign-up-disclosure=strict", "--answer-floor="+floor.String())
	for _, address := range []string{email, "absent@example.com"} {
		timed := func(typename, mutation string, input map[string]any) member {
			began := time.Now()
			result := a.want(t, typename, mutation, input)
			if took := time.Since(began); took < floor {
				t.Errorf("%s: %s took %v", address, mutation, took)
			}
			return result
		}
		started := timed("VerificationRequired", "signUp", map[string]any{"email": address, "password": strictPassword})
		verify := map[string]any{"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": "123456"}
		if mail := clerk.Mail(address); len(mail) > 0 {
			verify["code"] = wrong(mail[0].Code)
		}
		timed("InvalidCredentials", "signIn", map[string]any{"email": address, "password": strictPassword})
		timed("InvalidCode", "verifyEmail", verify)
		timed("VerificationSent", "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
	}
}

// TestTimeIsLearned has Clerk take long with what only an account that exists has to wait for, once: then the answers that have no such call take
// as long.
func TestTimeIsLearned(t *testing.T) {
	const slow = 400 * time.Millisecond
	clerk := clerkemu.RunT(t)
	seed(t, clerk, ada())
	a := startAPI(t, clerk, "--sign-up-disclosure=strict", "--session-mode=ticket")
	timed := func(mutation string, input map[string]any) (member, time.Duration) {
		began := time.Now()
		return a.do(t, mutation, input), time.Since(began)
	}
	// real runs a mutation that has to wait for an operation, and decoy one that has not.
	wait := slow
	real := func(mutation, operation string, input map[string]any) member {
		inject(t, clerk, clerkemu.Fault{Operation: operation, Kind: clerkemu.FaultLatency, Latency: wait, Times: 1})
		defer clerk.ClearFaults()
		result, _ := timed(mutation, input)
		return result
	}
	decoy := func(mutation string, input map[string]any) member {
		result, took := timed(mutation, input)
		if took < wait {
			t.Errorf("%s took %v", mutation, took)
		}
		return result
	}
	with := func(started member, code string) map[string]any {
		return map[string]any{"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": code}
	}
	const fresh, absent = "fresh@example.com", "absent@example.com"

	real("signIn", "VerifyPassword", map[string]any{"email": email, "password": newPassword})
	decoy("signIn", map[string]any{"email": absent, "password": newPassword})

	sent := real("requestPasswordReset", "PrepareEmailAddressVerification", map[string]any{"email": email})
	none := decoy("requestPasswordReset", map[string]any{"email": absent})
	reset := map[string]any{"signInId": sent["signInId"], "code": wrong(code(t, clerk, email)), "newPassword": newPassword}
	real("resetPassword", "AttemptEmailAddressVerification", reset)
	reset["signInId"] = none["signInId"]
	decoy("resetPassword", reset)

	real("signUp", "PrepareEmailAddressVerification", map[string]any{"email": fresh, "password": password})
	taken := decoy("signUp", map[string]any{"email": email, "password": newPassword})
	// A second sign-up takes other calls, whichever it is, and whoever signs up twice can have that.
	for _, second := range []struct{ operation, password, name string }{
		{"VerifyPassword", password, ""}, {"UpdateUser", password, "Ada"}, {"DeleteUser", newPassword, "Ada"},
	} {
		wait += slow
		real("signUp", second.operation, map[string]any{"email": fresh, "password": second.password, "firstName": second.name})
		decoy("signUp", map[string]any{"email": email, "password": "not the password"})
	}
	wait = slow
	started := a.want(t, "VerificationRequired", "signUp", map[string]any{"email": fresh, "password": newPassword})
	real("verifyEmail", "AttemptEmailAddressVerification", with(started, wrong(code(t, clerk, fresh))))
	decoy("verifyEmail", with(taken, "123456"))
	real("resendVerification", "PrepareEmailAddressVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
	decoy("resendVerification", map[string]any{"emailAddressId": taken["emailAddressId"]})
}
