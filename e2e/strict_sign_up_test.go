package e2e

import (
	"fmt"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// strictPassword is what somebody signs up with who wants to know whose an address is. Whoever knew the password of its account could simply sign in.
const strictPassword = "what the curious chose"

// holders are whose an address can be, so that a sign-up with it can't be had. Nobody's is "absent".
func holders() map[string]*clerkemu.UserSeed {
	return map[string]*clerkemu.UserSeed{
		"absent":                   nil,
		"verified":                 {Password: password},
		"unverified, and not ours": {Password: password, Reserved: true},
		"banned":                   {Password: password, Banned: true},
		"locked":                   {Password: password, Locked: true},
		"passwordless":             {},
	}
}

// alike returns what an answer tells, without what differs each time.
func alike(result member) string {
	told := member{}
	for field, value := range result {
		if text, ok := value.(string); ok && len(text) > 100 {
			value = fmt.Sprintf("a handle of %d characters", len(text))
		}
		if expires, err := time.Parse(time.RFC3339, fmt.Sprint(value)); err == nil {
			value = time.Until(expires).Round(time.Minute)
		}
		told[field] = value
	}
	return fmt.Sprint(told)
}

// strictFlow sends a sign-up and all that goes on from it but the right code, and returns what was answered.
func strictFlow(t *testing.T, a *api, clerk *clerkemu.Server, address string) []string {
	t.Helper()
	var answers []string
	note := func(mutation string, result member) member {
		answers = append(answers, fmt.Sprintf("%s: %s, %d calls", mutation, alike(result), len(clerk.Calls())))
		clerk.ResetCalls()
		return result
	}
	verify := func(started member) map[string]any {
		entered := "123456"
		if mail := clerk.Mail(address); len(mail) > 0 {
			entered = wrong(mail[0].Code)
		}
		return map[string]any{"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": entered}
	}
	clerk.ResetCalls()
	started := note("signUp", a.do(t, "signUp", map[string]any{"email": address, "password": strictPassword, "firstName": "Eve"}))
	note("signIn", a.do(t, "signIn", map[string]any{"email": address, "password": strictPassword}))
	for range clerkemu.DefaultCodeAttempts + 1 { // Clerk lets a code be tried so often
		note("verifyEmail", a.do(t, "verifyEmail", verify(started)))
	}
	resent := note("resendVerification", a.do(t, "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]}))
	resent["emailAddressId"] = started["emailAddressId"]
	note("verifyEmail", a.do(t, "verifyEmail", verify(resent)))
	clerk.FastForward(9 * time.Minute)
	note("verifyEmail", a.do(t, "verifyEmail", verify(resent)))
	// Who signs up again goes on, or replaces. These take other calls, and are held to one time: see TestTimeIsLearned.
	for _, again := range []string{strictPassword, "something else that was chosen"} {
		started = a.do(t, "signUp", map[string]any{"email": address, "password": again})
		answers = append(answers, alike(started))
		clerk.ResetCalls()
		note("verifyEmail", a.do(t, "verifyEmail", verify(started)))
	}
	return answers
}

// TestStrictSignUp has a sign-up, and all that follows from it but the right code, answered alike whosever the address is, with as many calls to
// Clerk. Nobody who has an account notices.
func TestStrictSignUp(t *testing.T) {
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for _, holder := range []string{"absent", "verified", "unverified, and not ours", "banned", "locked", "passwordless"} {
				// Clerk's codes end before the handles do: that must not be told.
				clerk := clerkemu.RunT(t, mode.options, func(o *clerkemu.Options) { o.CodeLife = 3 * time.Minute })
				a := startAPI(t, clerk, append(mode.flags(clerk), "--sign-up-disclosure=strict")...)
				var before clerkemu.User
				if user := holders()[holder]; user != nil {
					user.EmailAddress = email
					before = seed(t, clerk, *user)
				}
				got := strictFlow(t, a, clerk, email)
				if holder == "absent" {
					want = got
				}
				for i := range want {
					if got[i] != want[i] {
						t.Errorf("%s: step %d\n%s\nabsent:\n%s", holder, i, got[i], want[i])
					}
				}
				if now, _ := clerk.UserByEmail(email); holder != "absent" && (now.ID != before.ID || now.Verified != before.Verified || len(clerk.Mail(email)) > 0) {
					t.Errorf("%s: the account was changed, or got a mail", holder)
				}
			}
		})
	}
}

// TestStrictSignUpSignsUp has who reads the mail go on, and who was replaced not know it.
func TestStrictSignUpSignsUp(t *testing.T) {
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			clerk := clerkemu.RunT(t, mode.options)
			a := startAPI(t, clerk, append(mode.flags(clerk), "--sign-up-disclosure=strict")...)
			replaced := a.signUp(t, clerk, email, "chosen by an attacker")
			verify := a.signUp(t, clerk, email, password)
			a.want(t, "InvalidCode", "verifyEmail", replaced)
			replaced["code"] = verify["code"]
			a.want(t, "InvalidCode", "verifyEmail", replaced)
			a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": replaced["emailAddressId"]})
			a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": password}) // not before the code
			a.want(t, mode.success, "verifyEmail", verify)
			a.want(t, "AlreadyVerified", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
			a.want(t, "InvalidCode", "verifyEmail", replaced)
			a.want(t, mode.success, "signIn", map[string]any{"email": email, "password": password})
			if users := clerk.Users(); len(users) != 1 {
				t.Errorf("%d users", len(users))
			}
		})
	}
}

// TestStrictSignUpFailsAlike has Clerk fail at each call: what an address that is somebody's is answered is what one that is nobody's is.
func TestStrictSignUpFailsAlike(t *testing.T) {
	calls := map[string][][]string{ // that a step makes for the one and for the other
		"signUp":             {{"CreateUser"}, {"PrepareEmailAddressVerification", "GetUserList"}},
		"verifyEmail":        {{"GetUser"}, {"AttemptEmailAddressVerification"}},
		"resendVerification": {{"GetEmailAddress"}, {"PrepareEmailAddressVerification"}},
	}
	for mutation, operations := range calls {
		for _, fault := range []clerkemu.Fault{
			{Kind: clerkemu.FaultStatus, Status: 500},
			{Kind: clerkemu.FaultStatus, Status: 429, RetryAfter: 3 * time.Second},
			{Kind: clerkemu.FaultStatus, Status: 401, Code: "authentication_invalid"},
		} {
			for _, operation := range operations {
				t.Run(fmt.Sprintf("%s, %d %s at %v", mutation, fault.Status, fault.Kind, operation), func(t *testing.T) {
					t.Parallel()
					clerk := clerkemu.RunT(t)
					seed(t, clerk, ada())
					var answers []string
					for _, address := range []string{email, "absent@example.com"} {
						a := startAPI(t, clerk, "--sign-up-disclosure=strict", "--session-mode=ticket") // which has not seen Clerk fail
						input := map[string]any{"email": address, "password": password}
						if mutation != "signUp" {
							started := a.want(t, "VerificationRequired", "signUp", input)
							input = map[string]any{"emailAddressId": started["emailAddressId"]}
							if mutation == "verifyEmail" {
								input["verificationId"], input["code"] = started["verificationId"], "000000"
							}
						}
						for _, op := range operation {
							failing := fault
							failing.Operation = op
							inject(t, clerk, failing)
						}
						answers = append(answers, alike(a.do(t, mutation, input)))
						clerk.ClearFaults()
					}
					if answers[0] != answers[1] {
						t.Errorf("existing:\n%s\nabsent:\n%s", answers[0], answers[1])
					}
				})
			}
		}
	}
	// What Clerk has against one address is not told.
	for _, fault := range []clerkemu.Fault{
		{Status: 429, Code: "verification_code_too_many_requests"},
		{Status: 404, Code: "resource_not_found"},
		{Status: 400, Code: "identification_claimed"},
	} {
		t.Run(fault.Code, func(t *testing.T) {
			t.Parallel()
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk, "--sign-up-disclosure=strict", "--session-mode=ticket")
			fault.Kind, fault.Times, fault.Operation = clerkemu.FaultStatus, 1, "PrepareEmailAddressVerification"
			inject(t, clerk, fault)
			started := a.want(t, "VerificationRequired", "signUp", map[string]any{"email": email, "password": password})
			inject(t, clerk, fault)
			a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
			if fault.Status == 429 {
				return // only a code that is sent can come too soon
			}
			fault.Operation = "AttemptEmailAddressVerification"
			inject(t, clerk, fault)
			verify := map[string]any{"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": "000000"}
			a.want(t, "InvalidCode", "verifyEmail", verify)
		})
	}
}
