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

// step is a mutation with an input that passes all checks before Clerk is called, and what it answers when all is well.
type step struct {
	mutation, success string
	input             map[string]any
	sessionToken      string // of who sends it; empty: of nobody
}

// steps returns a step for every mutation, in an order in which all of them succeed.
func (a *api) steps(t testing.TB, clerk *clerkemu.Server) []step {
	t.Helper()
	verify := a.signUp(t, clerk, "verify@example.com", password)
	resend := a.signUp(t, clerk, "resend@example.com", password)
	seed(t, clerk, ada())
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "totp@example.com", Password: password, TOTPSecret: totpSecret})
	unfinished := a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": "totp@example.com", "password": password})
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "device@example.com", Password: password})
	newDevice := startAPI(t, clerk, "--new-device-check=email_code").
		want(t, "SecondFactorRequired", "signIn", map[string]any{"email": "device@example.com", "password": password})
	session := func(email string) member {
		seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
		return a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	}
	living, ending, mine := session("living@example.com"), session("ending@example.com"), session("mine@example.com")
	other := a.want(t, "SessionCreated", "signIn", map[string]any{"email": "mine@example.com", "password": password})
	a.viewer(t, bearer(mine.text("sessionToken"))) // has the server fetch the keys
	return []step{
		{"signUp", "VerificationRequired", map[string]any{"email": "new@example.com", "password": password}, ""},
		{"resendVerification", "VerificationSent", map[string]any{"emailAddressId": resend["emailAddressId"]}, ""},
		{"verifyEmail", "SessionCreated", verify, ""},
		{"signIn", "SessionCreated", map[string]any{"email": email, "password": password}, ""},
		{"requestPasswordReset", "PasswordResetSent", map[string]any{"email": email}, ""},
		{"resetPassword", "SessionCreated", a.reset(t, clerk, email, newPassword), ""},
		{"prepareSecondFactor", "SecondFactorPrepared", map[string]any{"signInId": newDevice["signInId"], "strategy": "EMAIL_CODE"}, ""},
		{"attemptSecondFactor", "SessionCreated", map[string]any{"signInId": unfinished["signInId"], "strategy": "TOTP", "code": totpCode(t, clerk, "totp@example.com")}, ""},
		{"refreshSession", "SessionRefreshed", map[string]any{"refreshToken": living["refreshToken"]}, ""},
		{"signOut", "SignedOut", map[string]any{"refreshToken": ending["refreshToken"]}, ""},
		{"revokeSession", "SessionRevoked", map[string]any{"sessionId": other["sessionId"]}, mine.text("sessionToken")},
		{"signOutEverywhere", "SignedOutEverywhere", nil, mine.text("sessionToken")},
	}
}

// TestEveryMutationHasAStep keeps the list above complete.
func TestEveryMutationHasAStep(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	listed := map[string]bool{}
	for _, step := range a.steps(t, clerk) {
		listed[step.mutation] = true
	}
	for _, field := range contract.schema.Mutation.Fields {
		if !listed[field.Name] {
			t.Errorf("%s has no step", field.Name)
		}
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
			a := startAPI(t, clerk)
			steps := a.steps(t, clerk)
			fault.fault.Operation = "*"
			inject(t, clerk, fault.fault)
			failing := func() *api { return startAPI(t, clerk, "--clerk-timeout=300ms", "--mutation-timeout=5s") }
			a = failing()
			for i, step := range steps {
				if i%4 == 3 || fault.want == "RateLimited" { // One that has seen Clerk fail too often leaves it alone.
					a = failing()
				}
				if step.mutation == "resetPassword" && fault.fault.Status == http.StatusTeapot {
					// It may be about this one account, and is told as if there were none.
					a.want(t, "InvalidCode", step.mutation, step.input)
					continue
				}
				result := a.wantAs(t, step.sessionToken, fault.want, step.mutation, step.input)
				if result["retryAfterSeconds"] != fault.wait {
					t.Errorf("%s: wait %v, want %v", step.mutation, result["retryAfterSeconds"], fault.wait)
				}
			}
			if fault.want == "ServiceUnavailable" {
				a.logged(t, "clerk call failed")
			}
			// And when Clerk is well again, everything goes on.
			clerk.ClearFaults()
			a = startAPI(t, clerk)
			for _, step := range steps {
				a.wantAs(t, step.sessionToken, step.success, step.mutation, step.input)
			}
		})
	}
}

func TestAKeyThatClerkRefuses(t *testing.T) {
	clerk := clerkemu.RunT(t)
	steps := startAPI(t, clerk).steps(t, clerk)
	a := startAPI(t, clerk, "--clerk-secret-key=sk_test_of_another_instance")
	for _, step := range steps {
		a.wantAs(t, step.sessionToken, "ServiceUnavailable", step.mutation, step.input)
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
	steps := a.steps(t, clerk)
	if err := clerk.Close(); err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		a.wantAs(t, step.sessionToken, "ServiceUnavailable", step.mutation, step.input)
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

// recover has Clerk be well again, and waits for as long as the API leaves it alone after it was not.
func (*api) recover(t *testing.T, clerk *clerkemu.Server) {
	t.Helper()
	clerk.ClearFaults()
	time.Sleep(time.Second + 100*time.Millisecond)
}

// TestNothingAfterAnAcceptedCodeLosesIt is rule 4 when it is not the password that fails, but Clerk: at every call of a reset
// after the code was accepted, in every way, the answer has a handle that the reset can be gone on with.
func TestNothingAfterAnAcceptedCodeLosesIt(t *testing.T) {
	for _, operation := range []string{"UpdateUser", "createSession", "CreateSessionToken"} {
		for _, fault := range []clerkemu.Fault{
			{Kind: clerkemu.FaultStatus, Status: 500},
			{Kind: clerkemu.FaultStatus, Status: 429},
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
				fault.Operation = operation
				inject(t, clerk, fault)
				failed := a.do(t, "resetPassword", reset)
				if typename := failed.typename(); typename != "ServiceUnavailable" && typename != "RateLimited" {
					t.Fatalf("got %v", failed)
				}
				a.recover(t, clerk)
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
	got := a.query(t, contract.document("verifyEmail"), map[string]any{"input": verify}, nil)
	if !strings.Contains(got.Raw, `"__typename":"ServiceUnavailable"`) {
		t.Error(got.Raw)
	}
	a.logged(t, "outcome without a member")
	a.logged(t, "verify_email.sign_up_restricted") // the log has what was
}
