package clerksvc_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clerksdk "github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/emailaddress"
	"github.com/clerk/clerk-sdk-go/v2/user"
	"github.com/pquerna/otp/totp"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestEveryEndpoint calls every method of API once, and holds that it is one call to the operation that its comment names.
func TestEveryEndpoint(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	ctx := t.Context()
	const totpSecret = "JBSWY3DPEHPK3PXP"

	// call runs one method and checks that it was one call to an operation.
	call := func(operation string, method func() error) {
		t.Helper()
		clerk.ResetCalls()
		if err := method(); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		if calls := clerk.Calls(); len(calls) != 1 || calls[0].Operation != operation {
			t.Errorf("%s made these calls: %v", operation, calls)
		}
	}

	var account *clerksvc.User
	call("CreateUser", func() (err error) {
		params := &clerksvc.CreateUserParams{EmailAddressStatus: []string{"reserved"}}
		params.EmailAddresses, params.Password, params.TOTPSecret = &[]string{email}, clerksdk.String(password), clerksdk.String(totpSecret)
		account, err = api.CreateUser(ctx, params)
		return err
	})
	first := account.Address(strings.ToUpper(email))
	if first == nil || first.Verification != nil || !first.Reserved || account.AddressByID(first.ID) != first {
		t.Fatalf("the address of a reserved user is %+v", first)
	}
	call("GetUser", func() error { _, err := api.GetUser(ctx, account.ID); return err })
	call("GetUserList", func() error {
		found, err := api.FindUserByEmailAddress(ctx, email)
		if err == nil && (found == nil || found.ID != account.ID) {
			return fmt.Errorf("found %+v", found)
		}
		return err
	})
	call("GetUserList", func() error {
		found, err := api.FindUserByEmailAddress(ctx, "nobody@example.com")
		if found != nil {
			return fmt.Errorf("found %+v", found)
		}
		return err
	})
	call("UpdateUser", func() error {
		updated, err := api.UpdateUser(ctx, account.ID, &user.UpdateParams{FirstName: clerksdk.String("Ada")})
		if err == nil && *updated.FirstName != "Ada" {
			return fmt.Errorf("the name is %q", *updated.FirstName)
		}
		return err
	})
	call("VerifyPassword", func() error { return api.VerifyPassword(ctx, account.ID, secret.New(password)) })
	call("VerifyTOTP", func() error {
		code, err := totp.GenerateCode(totpSecret, time.Now())
		if err != nil {
			return err
		}
		verified, err := api.VerifyTOTP(ctx, account.ID, secret.New(code))
		if err == nil && verified.CodeType != "totp" {
			return fmt.Errorf("code type %q", verified.CodeType)
		}
		return err
	})

	var second *clerksdk.EmailAddress
	call("CreateEmailAddress", func() (err error) {
		second, err = api.CreateEmailAddress(ctx, &emailaddress.CreateParams{
			UserID: clerksdk.String(account.ID), EmailAddress: clerksdk.String("lovelace@example.com"),
		})
		return err
	})
	call("GetEmailAddress", func() error { _, err := api.GetEmailAddress(ctx, second.ID); return err })
	call("UpdateEmailAddress", func() error {
		_, err := api.UpdateEmailAddress(ctx, second.ID, &emailaddress.UpdateParams{Verified: clerksdk.Bool(true)})
		return err
	})
	call("DeleteEmailAddress", func() error { return api.DeleteEmailAddress(ctx, second.ID) })

	var prepared *clerksvc.Verification
	call("PrepareEmailAddressVerification", func() (err error) {
		prepared, err = api.PrepareEmailAddressVerification(ctx, first.ID)
		return err
	})
	call("AttemptEmailAddressVerification", func() error {
		attempted, err := api.AttemptEmailAddressVerification(ctx, first.ID, prepared.ID, secret.New(clerk.Mail(email)[0].Code))
		if err == nil && attempted.Status != clerksvc.StatusVerified {
			return fmt.Errorf("status %q", attempted.Status)
		}
		return err
	})

	var attempt *clerksvc.SignInAttempt
	call("GetUserList", func() (err error) { attempt, err = api.CreateSignIn(ctx, email); return err })
	call("VerifyPassword", func() error { return api.AttemptPassword(ctx, attempt, secret.New(password)) })
	call("UpdateUser", func() error {
		_, err := api.ResetPassword(ctx, account.ID, secret.New("analytical engine"))
		return err
	})

	var session *clerksdk.Session
	call("createSession", func() (err error) { session, err = api.CreateSession(ctx, account.ID); return err })
	call("GetSession", func() error { _, err := api.GetSession(ctx, session.ID); return err })
	call("CreateSessionToken", func() error {
		token, err := api.CreateSessionToken(ctx, session.ID)
		if err == nil && strings.Count(token.Reveal(), ".") != 2 {
			return errors.New("that is no JWT")
		}
		return err
	})
	call("RevokeSession", func() error {
		revoked, err := api.RevokeSession(ctx, session.ID)
		if err == nil && revoked.Status != "revoked" {
			return fmt.Errorf("status %q", revoked.Status)
		}
		return err
	})

	var ticket *clerksvc.SignInToken
	call("CreateSignInToken", func() (err error) { ticket, err = api.CreateSignInToken(ctx, account.ID, time.Minute); return err })
	call("RevokeSignInToken", func() error { return api.RevokeSignInToken(ctx, ticket.ID) })
	call("GetJWKS", func() error {
		keys, err := api.JWKS(ctx)
		if err == nil && len(keys.Keys) != 1 {
			return fmt.Errorf("%d keys", len(keys.Keys))
		}
		return err
	})
	call("ListDomains", func() error {
		url, err := api.FrontendAPIURL(ctx)
		if err == nil && url != clerk.Issuer() {
			return fmt.Errorf("the issuer is %q", url)
		}
		return err
	})
	call("DeleteUser", func() error { return api.DeleteUser(ctx, account.ID) })
}

// TestIDsCannotLeaveTheirPath holds that nothing but an id gets into a path.
func TestIDsCannotLeaveTheirPath(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	for _, id := range []string{"", "user_", "user_1/../../sessions/sess_1", "user_1?expand=1", "user_1%2f", "user_1#", "../users", "org_1", "user_1\n", "user_" + strings.Repeat("a", 65)} {
		for name, call := range map[string]func() error{
			"GetUser":         func() error { _, err := api.GetUser(t.Context(), id); return err },
			"DeleteUser":      func() error { return api.DeleteUser(t.Context(), id) },
			"RevokeSession":   func() error { _, err := api.RevokeSession(t.Context(), id); return err },
			"GetEmailAddress": func() error { _, err := api.GetEmailAddress(t.Context(), id); return err },
		} {
			if err := call(); err == nil {
				t.Errorf("%s took %q", name, id)
			}
		}
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("calls were made: %v", calls)
	}
}

// TestAnUnverifiedClaimDoesNotWin has two users with one address, of whom one only added it to an account of its own.
func TestAnUnverifiedClaimDoesNotWin(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	squatter := seed(t, clerk, clerkemu.UserSeed{EmailAddress: "squatter@example.com", Password: password})
	if _, err := api.CreateEmailAddress(t.Context(), &emailaddress.CreateParams{
		UserID: clerksdk.String(squatter.ID), EmailAddress: clerksdk.String(email), Verified: clerksdk.Bool(false),
	}); err != nil {
		t.Fatal(err)
	}
	if found, err := api.FindUserByEmailAddress(t.Context(), email); err != nil || found != nil {
		t.Errorf("nobody's address identifies %+v, %v", found, err)
	}
	for _, reserved := range []bool{true, false} {
		owner := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password, Reserved: reserved})
		found, err := api.FindUserByEmailAddress(t.Context(), email)
		if err != nil || found == nil || found.ID != owner.ID {
			t.Errorf("owner reserved=%v: found %+v, %v; want %s", reserved, found, err, owner.ID)
		}
		if err := api.DeleteUser(t.Context(), owner.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// answering returns an API whose Clerk answers everything with one JSON text.
func answering(t *testing.T, body string) *clerksvc.API {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 5 * time.Second})
}

// TestAnswersThatSayNo has successes at HTTP that are none.
func TestAnswersThatSayNo(t *testing.T) {
	api := answering(t, `{"verified":false}`)
	if err := api.VerifyPassword(t.Context(), "user_1", secret.New("x")); err == nil {
		t.Error("a password that was not verified is accepted")
	}
	if _, err := api.VerifyTOTP(t.Context(), "user_1", secret.New("123456")); err == nil {
		t.Error("a code that was not verified is accepted")
	}
	api = answering(t, `{}`)
	if _, err := api.GetUser(t.Context(), "user_1"); err == nil {
		t.Error("a user without an id is accepted")
	}
	if _, err := api.JWKS(t.Context()); err == nil {
		t.Error("no keys are accepted")
	}
	if _, err := api.CreateSignInToken(t.Context(), "user_1", time.Minute); err == nil {
		t.Error("a ticket without a token is accepted")
	}
}

// TestWhoAnAddressIdentifies has lists of users with the same address, in every order.
func TestWhoAnAddressIdentifies(t *testing.T) {
	user := func(id, addresses string) string {
		return `{"id":"` + id + `","email_addresses":[` + addresses + `]}`
	}
	const (
		address  = `{"id":"idn_1","email_address":"` + email + `","verification":null,"reserved":false}`
		reserved = `{"id":"idn_1","email_address":"` + email + `","verification":null,"reserved":true}`
		verified = `{"id":"idn_1","email_address":"` + email + `","verification":{"status":"verified"},"reserved":false}`
		other    = `{"id":"idn_2","email_address":"other@example.com","verification":{"status":"verified"},"reserved":false}`
	)
	for name, row := range map[string]struct {
		users []string
		want  string
	}{
		"verified, then reserved":     {[]string{user("user_v", verified), user("user_r", reserved)}, "user_v"},
		"reserved, then verified":     {[]string{user("user_r", reserved), user("user_v", verified)}, "user_v"},
		"only address, then reserved": {[]string{user("user_o", address), user("user_r", reserved)}, "user_r"},
		"reserved, then only address": {[]string{user("user_r", reserved), user("user_o", address)}, "user_r"},
		"only address":                {[]string{user("user_o", address)}, "user_o"},
		"added to another":            {[]string{user("user_a", other+","+address)}, ""},
		"beside a phone":              {[]string{`{"id":"user_p","phone_numbers":[{}],"email_addresses":[` + address + `]}`}, ""},
		"beside a username":           {[]string{`{"id":"user_n","username":"eve","email_addresses":[` + address + `]}`}, ""},
		"another user's":              {[]string{user("user_x", other)}, ""},
		"nobody":                      {nil, ""},
	} {
		api := answering(t, "["+strings.Join(row.users, ",")+"]")
		found, err := api.FindUserByEmailAddress(t.Context(), email)
		got := ""
		if found != nil {
			got = found.ID
		}
		if err != nil || got != row.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, row.want)
		}
	}
}

// TestAnswersAreBounded has an answer that would be right if all of it were read.
func TestAnswersAreBounded(t *testing.T) {
	api := answering(t, strings.Repeat(" ", 5<<20)+"[]")
	if _, err := api.FindUserByEmailAddress(t.Context(), email); err == nil {
		t.Error("5 MiB were read")
	}
}

// TestRedirectsAreNotFollowed has a redirect to where the secret key must not go.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		fmt.Fprint(w, "[]")
	}))
	defer target.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target.URL)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTemporaryRedirect)
		fmt.Fprint(w, "[]") // which the SDK would take for the answer
	}))
	defer server.Close()
	api := clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 5 * time.Second})
	if _, err := api.FindUserByEmailAddress(t.Context(), email); err == nil || elsewhere.Load() != 0 {
		t.Errorf("the redirect was followed %d times: %v", elsewhere.Load(), err)
	}
}

// TestWhatAnErrorIsAbout has the ways in which Clerk names the parameters that are at fault.
func TestWhatAnErrorIsAbout(t *testing.T) {
	for meta, want := range map[string]string{
		`{"param_name":"email_address"}`:             "[{c email_address}]",
		`{"param_names":["first_name","last_name"]}`: "[{c first_name} {c last_name}]",
		`{}`:               "[{c }]",
		`{"param_name":7}`: "[{c }]",
		`["first_name"]`:   "[{c }]",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"errors":[{"code":"c","message":"m","long_message":"l","meta":`+meta+`}]}`)
		}))
		api := clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 5 * time.Second})
		_, err := api.GetUser(t.Context(), "user_1")
		server.Close()
		var clerkErr *clerksvc.ClerkError
		if !errors.As(err, &clerkErr) || fmt.Sprint(clerkErr.Items) != want {
			t.Errorf("%s: %v, want %s", meta, err, want)
		}
	}
}

// TestErrorsRepeatNothingOfTheAnswer has answers with an address and prose in them, in every way in which an answer can be
// wrong.
func TestErrorsRepeatNothingOfTheAnswer(t *testing.T) {
	const private = "ada@example.com"
	for name, answer := range map[string]http.HandlerFunc{
		"a gateway's page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<h1>"+private+"</h1>")
		},
		"JSON that is not Clerk's": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"message":"`+private+`"}`)
		},
		"Clerk's envelope": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"status":200,"errors":[{"code":"form_identifier_exists","message":"`+private+`","long_message":"`+private+`","meta":{"param_name":"email_address"}}],"clerk_trace_id":"trace_1"}`)
		},
		"a success that is no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, private)
		},
		"a success of another shape": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `[{"id":{"`+private+`":1}}]`)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.com/"+private, http.StatusFound)
		},
		"a body without end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 6 << 10 {
				fmt.Fprint(w, strings.Repeat(" ", 1023)+"x")
			}
			fmt.Fprint(w, private)
		},
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too slow":  func(http.ResponseWriter, *http.Request) { time.Sleep(300 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answer)
			defer server.Close()
			api := clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL, SecretKey: secret.New("sk_test_1"), Timeout: 200 * time.Millisecond})
			_, err := api.FindUserByEmailAddress(t.Context(), private)
			var clerkErr *clerksvc.ClerkError
			if !errors.As(err, &clerkErr) || clerkErr.Operation != "GetUserList" {
				t.Fatalf("the error is %v", err)
			}
			if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "ada") || strings.Contains(text, "sk_test_1") {
				t.Errorf("the error repeats the address or the key: %s", text)
			}
			if enveloped := name == "Clerk's envelope"; enveloped != (clerkErr.Status == 422 && clerkErr.TraceID == "trace_1" && !clerkErr.Uncertain()) {
				t.Errorf("status %d, trace %q, uncertain %v", clerkErr.Status, clerkErr.TraceID, clerkErr.Uncertain())
			}
		})
	}
}
