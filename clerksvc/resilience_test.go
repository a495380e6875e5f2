package clerksvc_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// failingAPI returns the API of an embedded Clerk that has a user, and what injects faults into it.
func failingAPI(t *testing.T) (api *clerksvc.API, clerk *clerkemu.Server, userID string, inject func(clerkemu.Fault)) {
	t.Helper()
	clerk = clerkemu.RunT(t)
	account := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	return newAPI(clerk), clerk, account.ID, func(fault clerkemu.Fault) {
		t.Helper()
		if err := clerk.InjectFault(fault); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOnlyRepeatableCallsAreRepeated has the answer to each operation be lost once.
func TestOnlyRepeatableCallsAreRepeated(t *testing.T) {
	api, clerk, userID, inject := failingAPI(t)
	ctx := t.Context()
	session, err := api.CreateSession(ctx, userID)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := api.CreateSignInToken(ctx, userID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	account, err := api.GetUser(ctx, userID)
	if err != nil {
		t.Fatal(err)
	}
	address := account.EmailAddresses[0].ID
	for range 50 { // so that the circuit stays closed
		if _, err := api.GetUser(ctx, userID); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		operation string
		repeated  bool
		call      func() error
	}{
		{"GetUser", true, func() error { _, err := api.GetUser(ctx, userID); return err }},
		{"GetUserList", true, func() error { _, err := api.FindUserByEmailAddress(ctx, email); return err }},
		{"VerifyPassword", true, func() error { return api.VerifyPassword(ctx, userID, secret.New(password)) }},
		{"UpdateUser", true, func() error { _, err := api.ResetPassword(ctx, userID, secret.New(password)); return err }},
		{"GetSession", true, func() error { _, err := api.GetSession(ctx, session.ID); return err }},
		{"GetSessionList", true, func() error { _, err := api.ListSessions(ctx, userID); return err }},
		{"GetJWKS", true, func() error { _, err := api.JWKS(ctx); return err }},
		{"RevokeSession", true, func() error { _, err := api.RevokeSession(ctx, session.ID); return err }},
		{"VerifyTOTP", false, func() error { return api.VerifyTOTP(ctx, userID, secret.New("123456")) }},
		{"PrepareEmailAddressVerification", false, func() error { _, err := api.PrepareEmailAddressVerification(ctx, address); return err }},
		{"AttemptEmailAddressVerification", false, func() error {
			_, err := api.AttemptEmailAddressVerification(ctx, address, "ver_1", secret.New("123456"))
			return err
		}},
		{"CreateUser", false, func() error { _, err := api.CreateUser(ctx, &clerksvc.CreateUserParams{}); return err }},
		{"createSession", false, func() error { _, err := api.CreateSession(ctx, userID); return err }},
		{"CreateSignInToken", false, func() error { _, err := api.CreateSignInToken(ctx, userID, time.Minute); return err }},
		{"RevokeSignInToken", false, func() error { return api.RevokeSignInToken(ctx, ticket.ID) }},
		{"DeleteUser", true, func() error { return api.DeleteUser(ctx, userID) }},
	} {
		inject(clerkemu.Fault{Operation: test.operation, Kind: clerkemu.FaultDropAfterEffect, Times: 1})
		clerk.ResetCalls()
		var failed *clerksvc.ClerkError
		if err := test.call(); errors.As(err, &failed) && failed.Uncertain() == test.repeated || err == nil && !test.repeated {
			t.Errorf("%s: %v", test.operation, err)
		}
		want := []string{test.operation}
		if test.repeated {
			want = append(want, test.operation)
		}
		var got []string
		for _, call := range clerk.Calls() {
			got = append(got, call.Operation)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: these calls: %v", test.operation, got)
		}
	}
}

// TestRefusedCallsAreRepeatedWhenClerkSays holds that a call that was not done is made again, whatever it is, but not before Clerk wants it.
func TestRefusedCallsAreRepeatedWhenClerkSays(t *testing.T) {
	for name, test := range map[string]struct {
		fault clerkemu.Fault
		calls int
	}{
		"in a second": {clerkemu.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}, 2},
		"much later":  {clerkemu.Fault{Status: http.StatusTooManyRequests, RetryAfter: 7 * time.Second}, 1},
		"some time":   {clerkemu.Fault{Status: http.StatusTooManyRequests}, 1},
		"never":       {clerkemu.Fault{Status: http.StatusUnprocessableEntity}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, clerk, userID, inject := failingAPI(t)
			test.fault.Operation, test.fault.Kind, test.fault.Times = "createSession", clerkemu.FaultStatus, 1
			inject(test.fault)
			began := time.Now()
			_, err := api.CreateSession(t.Context(), userID)
			if calls := clerk.Calls(); len(calls) != test.calls || (err == nil) != (test.calls > 1) {
				t.Errorf("%v after %d calls", err, len(calls))
			}
			if test.calls > 1 && time.Since(began) < test.fault.RetryAfter {
				t.Errorf("it was repeated after %v", time.Since(began))
			}
		})
	}
}

// TestRepetitionsHaveABudget holds that a part of Clerk that fails is not asked three times as often.
func TestRepetitionsHaveABudget(t *testing.T) {
	api, clerk, userID, inject := failingAPI(t)
	session, err := api.CreateSession(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	for range 150 { // so that the circuit stays closed
		if _, err := api.GetSession(t.Context(), session.ID); err != nil {
			t.Fatal(err)
		}
	}
	inject(clerkemu.Fault{Operation: "GetUser", Kind: clerkemu.FaultStatus, Status: 500, Latency: time.Second})
	clerk.ResetCalls()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { _, _ = api.GetUser(t.Context(), userID) })
	}
	all.Wait()
	if calls := len(clerk.Calls()); calls < 55 || calls > 50+10+10 {
		t.Errorf("%d calls for 50, of which a fifth may be repeated at a time", calls)
	}
}

// TestARepeatedCallIsAnsweredAnew has an answer that breaks off in the middle: nothing of it is mixed with the answer to the repeated call.
func TestARepeatedCallIsAnsweredAnew(t *testing.T) {
	answers := []string{
		`[{"id":"user_a","banned":true,"email_addresses":[{"id":"idn_a","email_address":"` + email + `","verification":{"status":"verified"}}],"external_id":7}]`,
		`[{"id":"user_b","email_addresses":[{"id":"idn_b","email_address":"` + email + `"}]}]`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answers[0])
		answers = answers[1:]
	}))
	defer server.Close()
	api := clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 5 * time.Second})
	found, err := api.FindUserByEmailAddress(t.Context(), email)
	if err != nil || found.ID != "user_b" || found.Banned || found.EmailAddresses[0].Verification != nil {
		t.Errorf("%+v, %v", found, err)
	}
}
