package e2e

import (
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
	seed(t, clerk, ada())
	return map[string]map[string]any{
		"signUp":               {"email": "new@example.com", "password": password},
		"verifyEmail":          verify,
		"resendVerification":   {"emailAddressId": verify["emailAddressId"]},
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
		{"a code that nobody knows", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 418, Code: "made_of_tea"}, "ServiceUnavailable", 5},
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
				result := a.want(t, fault.want, mutation, input)
				if result["retryAfterSeconds"] != fault.wait {
					t.Errorf("%s: wait %v, want %v", mutation, result["retryAfterSeconds"], fault.wait)
				}
			}
			if fault.want == "ServiceUnavailable" && !strings.Contains(a.log.String(), "clerk call failed") {
				t.Error("the operator is not told")
			}
			// And when Clerk is well again, everything goes on.
			clerk.ClearFaults()
			for mutation, input := range inputs {
				if result := a.do(t, mutation, input); result.typename() == fault.want {
					t.Errorf("afterwards %s answered %v", mutation, result)
				}
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
	log := a.log.String()
	if !strings.Contains(log, "clerk_key_invalid") || !strings.Contains(log, `"clerk_trace_id":"`) {
		t.Errorf("the log does not name the reason and the trace:\n%s", log)
	}
	if strings.Contains(log, "sk_test_") {
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

// TestAClientThatGoesAway begins mutations and hangs up: what was begun runs to its end.
func TestAClientThatGoesAway(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultLatency, Latency: 300 * time.Millisecond, Times: 1})
	a.hangUp(t, "signUp", map[string]any{"email": email, "password": password}, 100*time.Millisecond)
	deadline := time.Now().Add(5 * time.Second)
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
	inject(t, clerk, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultLatency, Latency: 500 * time.Millisecond, Times: 1})
	result := make(chan member, 1)
	go func() { result <- a.do(t, "signUp", map[string]any{"email": email, "password": password}) }()
	time.Sleep(150 * time.Millisecond)
	a.stop(t)
	if got := <-result; got.typename() != "VerificationRequired" {
		t.Errorf("the mutation under way got %v", got)
	}
}
