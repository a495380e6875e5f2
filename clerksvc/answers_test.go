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

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

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
	if err := api.VerifyTOTP(t.Context(), "user_1", secret.New("123456")); err == nil {
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
