package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

func inject(t testing.TB, clerk *clerkemu.Server, fault clerkemu.Fault) {
	t.Helper()
	if err := clerk.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
}

// inputs returns one input for every mutation that passes all checks before Clerk is called.
func (a *api) inputs(t testing.TB, clerk *clerkemu.Server) map[string]map[string]any {
	t.Helper()
	verify := a.signUp(t, clerk, "verify@example.com", password)
	resend := a.signUp(t, clerk, "resend@example.com", password)
	seed(t, clerk, ada())
	return map[string]map[string]any{
		"signUp":               {"email": "new@example.com", "password": password},
		"verifyEmail":          verify,
		"resendVerification":   {"emailAddressId": resend["emailAddressId"]},
		"signIn":               {"email": email, "password": password},
		"requestPasswordReset": {"email": email},
		"resetPassword":        a.reset(t, clerk, email, newPassword),
	}
}

// TestClerkMisbehaves has what every mutation answers when every call to Clerk goes wrong in one way.
func TestClerkMisbehaves(t *testing.T) {
	for _, fault := range []struct {
		name  string
		fault clerkemu.Fault
		want  string
		wait  float64
	}{
		{"the connection drops", clerkemu.Fault{Kind: clerkemu.FaultDrop}, "ServiceUnavailable", 5},
		{"a gateway's page", clerkemu.Fault{Kind: clerkemu.FaultGarbage}, "ServiceUnavailable", 5},
		{"an internal error", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 500}, "ServiceUnavailable", 5},
		{"down for maintenance", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 503, Code: "service_unavailable", RetryAfter: 17 * time.Second}, "ServiceUnavailable", 17},
		{"a code that nobody knows", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: http.StatusTeapot, Code: "made_of_tea"}, "ServiceUnavailable", 5},
		{"Clerk is too slow", clerkemu.Fault{Kind: clerkemu.FaultLatency, Latency: 3 * time.Second}, "ServiceUnavailable", 5},
		{"the instance's quota is used up", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 429, RetryAfter: 8 * time.Second}, "RateLimited", 8},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk, "--clerk-timeout=500ms")
			inputs := a.inputs(t, clerk)
			fault.fault.Operation = "*"
			inject(t, clerk, fault.fault)
			for mutation, input := range inputs {
				if mutation == "resetPassword" && fault.fault.Status == http.StatusTeapot {
					// It may be about this one account, and is told as if there were none.
					a.want(t, "InvalidCode", mutation, input)
					continue
				}
				result := a.want(t, fault.want, mutation, input)
				if result["retryAfterSeconds"] != fault.wait {
					t.Errorf("%s: wait %v, want %v", mutation, result["retryAfterSeconds"], fault.wait)
				}
			}
			if fault.want == "ServiceUnavailable" {
				a.logged(t, "clerk call failed")
			}
			// And when Clerk is well again, everything goes on.
			clerk.ClearFaults()
			for _, row := range []struct{ mutation, success string }{
				{"signUp", "VerificationRequired"},
				{"resendVerification", "VerificationSent"},
				{"verifyEmail", "SessionCreated"},
				{"signIn", "SessionCreated"},
				{"requestPasswordReset", "PasswordResetSent"},
				{"resetPassword", "SessionCreated"},
			} {
				a.want(t, row.success, row.mutation, inputs[row.mutation])
			}
		})
	}
}

func TestAKeyThatClerkRefuses(t *testing.T) {
	clerk := clerkemu.RunT(t)
	inputs := startAPI(t, clerk).inputs(t, clerk)
	a := startAPI(t, clerk, "--clerk-secret-key=sk_test_of_another_instance")
	for mutation, input := range inputs {
		a.want(t, "ServiceUnavailable", mutation, input)
	}
	a.logged(t, "clerk_key_invalid")
	if strings.Contains(a.log.String(), `"clerk_trace_id":""`) {
		t.Error("the log does not name Clerk's trace")
	}
	if strings.Contains(a.log.String(), "sk_test_") {
		t.Error("the key is in the log")
	}
}

func TestClerkDown(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	inputs := a.inputs(t, clerk)
	if err := clerk.Close(); err != nil {
		t.Fatal(err)
	}
	for mutation, input := range inputs {
		a.want(t, "ServiceUnavailable", mutation, input)
	}
}

func TestRestrictedSignUp(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultStatus, Status: 403, Code: "not_allowed_access", Times: 1})
	a.want(t, "SignUpRestricted", "signUp", map[string]any{"email": email, "password": password})
}

// TestALostAnswerToCreateUser is rule 5: the user that may have been created is looked for, not created again.
func TestALostAnswerToCreateUser(t *testing.T) {
	for _, kind := range []clerkemu.FaultKind{clerkemu.FaultDropAfterEffect, clerkemu.FaultTruncate} {
		t.Run(string(kind), func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk)
			inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: kind, Times: 1})
			a.want(t, "SessionCreated", "verifyEmail", a.signUp(t, clerk, email, password))
			creations := 0
			for _, call := range clerk.Calls() {
				if call.Operation == "CreateUser" {
					creations++
				}
			}
			if creations != 1 || len(clerk.Users()) != 1 {
				t.Errorf("%d calls created %d users", creations, len(clerk.Users()))
			}
		})
	}
}

// TestALostAnswerLeavesNothingThatBlocksTheOwner breaks every call of a sign-up after its effect, and lets the user try again.
func TestALostAnswerLeavesNothingThatBlocksTheOwner(t *testing.T) {
	for _, operation := range []string{"CreateUser", "PrepareEmailAddressVerification"} {
		for _, kind := range []clerkemu.FaultKind{clerkemu.FaultDrop, clerkemu.FaultDropAfterEffect, clerkemu.FaultTruncate, clerkemu.FaultGarbage} {
			t.Run(operation+" "+string(kind), func(t *testing.T) {
				clerk := clerkemu.RunT(t)
				a := startAPI(t, clerk)
				inject(t, clerk, clerkemu.Fault{Operation: operation, Kind: kind, Times: 1})
				a.do(t, "signUp", map[string]any{"email": email, "password": password})
				a.want(t, "SessionCreated", "verifyEmail", a.signUp(t, clerk, email, password))
				if users := clerk.Users(); len(users) != 1 {
					t.Errorf("%d users", len(users))
				}
			})
		}
	}
}

// TestAClientThatGoesAway begins a mutation and hangs up: what was begun runs to its end.
func TestAClientThatGoesAway(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultLatency, Latency: 2 * time.Second, Times: 1})
	ctx, hangUp := context.WithCancel(t.Context())
	answered := a.begin(ctx, t, "signUp", map[string]any{"email": email, "password": password})
	hangUp()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Fatalf("the client did not hang up in time: %v", err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(clerk.Mail(email)) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the sign-up stopped half-way: no code was sent")
		}
		time.Sleep(20 * time.Millisecond)
	}
	a.want(t, "SessionCreated", "verifyEmail", a.signUp(t, clerk, email, password))
}

// TestShutdownLetsMutationsFinish sends SIGTERM while a mutation waits for Clerk.
func TestShutdownLetsMutationsFinish(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultLatency, Latency: 2 * time.Second, Times: 1})
	answered := a.begin(t.Context(), t, "signUp", map[string]any{"email": email, "password": password})
	a.stop(t)
	if err := <-answered; err != nil {
		t.Errorf("the mutation under way ended with %v", err)
	}
}

// TestNothingAfterAnAcceptedCodeLosesIt is rule 4 when it is not the password that fails, but Clerk: at every call of a reset
// after the code was accepted, in every way, the answer has a handle that the reset can be gone on with.
func TestNothingAfterAnAcceptedCodeLosesIt(t *testing.T) {
	for _, operation := range []string{"UpdateUser", "createSession", "CreateSessionToken"} {
		for _, fault := range []clerkemu.Fault{
			{Kind: clerkemu.FaultStatus, Status: 500},
			{Kind: clerkemu.FaultStatus, Status: 429, RetryAfter: time.Second},
			{Kind: clerkemu.FaultDrop},
			{Kind: clerkemu.FaultDropAfterEffect},
			{Kind: clerkemu.FaultTruncate},
			{Kind: clerkemu.FaultGarbage},
		} {
			t.Run(fmt.Sprintf("%s %s %d", operation, fault.Kind, fault.Status), func(t *testing.T) {
				clerk := clerkemu.RunT(t)
				a := startAPI(t, clerk)
				seed(t, clerk, ada())
				reset := a.reset(t, clerk, email, newPassword)
				fault.Operation, fault.Times = operation, 1
				inject(t, clerk, fault)
				failed := a.do(t, "resetPassword", reset)
				if typename := failed.typename(); typename != "ServiceUnavailable" && typename != "RateLimited" {
					t.Fatalf("got %v", failed)
				}
				mails := len(clerk.Mail(email))
				a.want(t, "SessionCreated", "resetPassword", map[string]any{
					"signInId": failed["resumeSignInId"], "code": reset["code"], "newPassword": newPassword,
				})
				if len(clerk.Mail(email)) != mails {
					t.Error("a new code was sent")
				}
				a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": newPassword})
				a.want(t, "VerificationExpired", "resetPassword", map[string]any{
					"signInId": failed["resumeSignInId"], "code": reset["code"], "newPassword": "a third password",
				})
			})
		}
	}
}

// TestAnOutcomeWithoutAMember has Clerk refuse an address when it is verified, which verifyEmail has no member for.
func TestAnOutcomeWithoutAMember(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	verify := a.signUp(t, clerk, email, password)
	inject(t, clerk, clerkemu.Fault{
		Operation: "AttemptEmailAddressVerification", Kind: clerkemu.FaultStatus, Status: 403, Code: "not_allowed_access", Times: 1,
	})
	a.want(t, "ServiceUnavailable", "verifyEmail", verify)
	a.logged(t, "outcome without a member")
}
