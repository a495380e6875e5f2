package clerksvc_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// newFrontendAPI returns the Frontend API of an embedded Clerk.
func newFrontendAPI(url string, changes ...func(*clerksvc.FrontendAPIConfig)) *clerksvc.FrontendAPI {
	cfg := clerksvc.FrontendAPIConfig{URL: url, Timeout: 5 * time.Second}
	for _, change := range changes {
		change(&cfg)
	}
	return clerksvc.NewFrontendAPI(cfg)
}

var someClient = clerksvc.Client{IP: "198.51.100.7", UserAgent: "Firefox " + strings.Repeat("x", 1000)}

// TestEveryFrontendEndpoint redeems a ticket, and holds that each method is one call to the operation that its comment names.
func TestEveryFrontendEndpoint(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.Production = true })
	api, frontend := newAPI(clerk), newFrontendAPI(clerk.FrontendAPIURL())
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	ticket, err := api.CreateSignInToken(t.Context(), user.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	clerk.ResetCalls()
	redeemed, err := frontend.CreateSignIn(t.Context(), someClient, ticket.Token)
	if err != nil {
		t.Fatal(err)
	}
	if redeemed.UserID != user.ID || redeemed.ClientToken.Reveal() == "" || !redeemed.SessionExpiresAt.After(time.Now()) {
		t.Errorf("redeemed: %+v", redeemed)
	}
	token, err := frontend.CreateSessionToken(t.Context(), someClient, redeemed)
	if err != nil || strings.Count(token.Reveal(), ".") != 2 {
		t.Errorf("that is no JWT: %v", err)
	}
	if calls := clerk.Calls(); len(calls) != 2 || calls[0].Operation != "fapi.createSignIn" || calls[1].Operation != "fapi.createSessionToken" {
		t.Errorf("these calls: %v", calls)
	}
	if _, err := frontend.CreateSignIn(t.Context(), someClient, ticket.Token); !hasCode(err, "sign_in_token_already_used_code") {
		t.Errorf("the ticket once more: %v", err)
	}
	redeemed.ClientToken = secret.New("")
	if _, err := frontend.CreateSessionToken(t.Context(), someClient, redeemed); err == nil {
		t.Error("a session token for nobody")
	}
	redeemed.SessionID = "sess_1/../../../v1/environment"
	clerk.ResetCalls()
	if _, err := frontend.CreateSessionToken(t.Context(), someClient, redeemed); err == nil || len(clerk.Calls()) > 0 {
		t.Errorf("an id that leaves its path: %v", clerk.Calls())
	}
}

func hasCode(err error, code string) bool {
	var clerkErr *clerksvc.ClerkError
	return errors.As(err, &clerkErr) && clerkErr.Has(code)
}

// TestTheFormOfFrontendCalls holds that a call is in native form, and says what a proxy says only where there is one.
func TestTheFormOfFrontendCalls(t *testing.T) {
	var got *http.Request
	var form string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got, form = r, r.PostForm.Encode()
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	proxied := newFrontendAPI(server.URL+"/", func(cfg *clerksvc.FrontendAPIConfig) {
		cfg.ProxyURL, cfg.SecretKey = "https://example.com/__clerk", secret.New("sk_live_1")
	})
	for name, row := range map[string]struct {
		frontend                    *clerksvc.FrontendAPI
		proxyURL, secretKey, client string
	}{
		"with a proxy":    {proxied, "https://example.com/__clerk", "sk_live_1", "198.51.100.7"},
		"without a proxy": {newFrontendAPI(server.URL), "", "", ""},
	} {
		_, err := row.frontend.CreateSignIn(t.Context(), someClient, secret.New("the ticket"))
		if err == nil || strings.Contains(err.Error(), "the ticket") {
			t.Errorf("%s: %v", name, err)
		}
		if len(got.UserAgent()) > 512 {
			t.Errorf("%s: a User-Agent of %d bytes", name, len(got.UserAgent()))
		}
		if got.URL.Path != "/v1/client/sign_ins" || got.URL.Query().Get("_is_native") != "1" || form != "strategy=ticket&ticket=the+ticket" {
			t.Errorf("%s: %s with %s", name, got.URL, form)
		}
		authorization, sent := got.Header["Authorization"]
		if !sent || authorization[0] != "" || got.Header.Get("Origin") != "" || !strings.HasPrefix(got.UserAgent(), "Firefox") {
			t.Errorf("%s: headers %v", name, got.Header)
		}
		for header, want := range map[string]string{"Clerk-Proxy-Url": row.proxyURL, "Clerk-Secret-Key": row.secretKey, "X-Forwarded-For": row.client} {
			if value := got.Header.Get(header); value != want {
				t.Errorf("%s: %s is %q, want %q", name, header, value, want)
			}
		}
	}
}

// TestRedeemingThatSaysNo has successes at HTTP that are none. None may be taken for a session.
func TestRedeemingThatSaysNo(t *testing.T) {
	const session = `{"id":"sess_1","expire_at":1,"user":{"id":"user_1"}}`
	for name, body := range map[string]string{
		"nothing":                    `{}`,
		"not complete":               `{"response":{"status":"needs_second_factor","created_session_id":"sess_1"},"client":{"sessions":[` + session + `]}}`,
		"no session":                 `{"response":{"status":"complete"},"client":{"sessions":[` + session + `]}}`,
		"another session":            `{"response":{"status":"complete","created_session_id":"sess_2"},"client":{"sessions":[` + session + `]}}`,
		"no id":                      `{"response":{"status":"complete","created_session_id":""},"client":{"sessions":[{"id":""}]}}`,
		"an error with status 200":   `{"errors":[{"code":"ticket_invalid_code"}]}`,
		"something that is not JSON": `<html>`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, body)
		}))
		if redeemed, err := newFrontendAPI(server.URL).CreateSignIn(t.Context(), someClient, secret.New("x")); err == nil {
			t.Errorf("%s: %+v", name, redeemed)
		}
		server.Close()
	}
}

// withoutToken returns the URL of a Frontend API whose answers to a ticket have no session token, as the specification allows.
func withoutToken(t *testing.T, clerk *clerkemu.Server) string {
	t.Helper()
	target, err := url.Parse(clerk.FrontendAPIURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			body = regexp.MustCompile(`"last_active_token":\{[^}]*\}`).ReplaceAll(body, []byte(`"last_active_token":null`))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// TestATicketWithoutAToken has to ask for the session token with the client's token, and ends the session if that fails.
func TestATicketWithoutAToken(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	service := newService(t, clerk, func(cfg *clerksvc.Config) {
		cfg.SessionMode, cfg.FrontendAPI = clerksvc.ModeExchange, newFrontendAPI(withoutToken(t, clerk))
	})
	in := clerksvc.SignInInput{Email: email, Password: secret.New(password)}
	signedIn, err := service.SignIn(t.Context(), in)
	if err != nil || strings.Count(signedIn.Session.Token.Reveal(), ".") != 2 {
		t.Fatalf("%+v, %v", signedIn, err)
	}
	if calls := clerk.Calls(); calls[len(calls)-1].Operation != "fapi.createSessionToken" {
		t.Errorf("these calls: %v", calls)
	}
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "fapi.createSessionToken", Kind: clerkemu.FaultStatus, Status: 500}); err != nil {
		t.Fatal(err)
	}
	if _, err := service.SignIn(t.Context(), in); !errors.As(err, new(*clerksvc.UnavailableError)) {
		t.Errorf("without a token: %v", err)
	}
	if sessions := clerk.Sessions(user.ID); len(sessions) != 2 || sessions[1].Status != "revoked" {
		t.Errorf("sessions: %+v", sessions)
	}
}

// TestSomebodyElsesSession has Clerk answer a ticket with a session of another user. It is ended, and nobody gets it.
func TestSomebodyElsesSession(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	other := seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password})
	session, err := newAPI(clerk).CreateSession(t.Context(), other.ID)
	if err != nil {
		t.Fatal(err)
	}
	token, err := newAPI(clerk).CreateSessionToken(t.Context(), session.ID)
	if err != nil {
		t.Fatal(err)
	}
	confused := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"response":{"status":"complete","created_session_id":%q},
			"client":{"sessions":[{"id":%q,"expire_at":%d,"user":{"id":%q},"last_active_token":{"jwt":%q}}]}}`,
			session.ID, session.ID, session.ExpireAt, other.ID, token.Reveal())
	}))
	defer confused.Close()
	service := newService(t, clerk, func(cfg *clerksvc.Config) {
		cfg.SessionMode, cfg.FrontendAPI = clerksvc.ModeExchange, newFrontendAPI(confused.URL)
	})
	if signedIn, err := service.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)}); err == nil {
		t.Errorf("signed in: %+v", signedIn)
	}
	if sessions := clerk.Sessions(other.ID); sessions[0].Status != "revoked" || len(clerk.Sessions(user.ID)) > 0 {
		t.Errorf("sessions: %+v", sessions)
	}
}

// TestNoCallsForWhatClerkWillRefuse holds that a client whom the Frontend API has refused costs no calls until it takes them again, and others, whom
// it can tell from that one only through a proxy, are served.
func TestNoCallsForWhatClerkWillRefuse(t *testing.T) {
	for _, proxyURL := range []string{"", "https://app.example.com/__clerk"} {
		t.Run("proxied by "+proxyURL, func(t *testing.T) {
			t.Parallel()
			clerk := clerkemu.RunT(t, func(o *clerkemu.Options) {
				o.Production, o.SignInRateLimit, o.ProxyURL = true, 5, proxyURL
			})
			seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
			service := newService(t, clerk, func(cfg *clerksvc.Config) {
				cfg.SessionMode, cfg.FrontendAPI = clerksvc.ModeExchange, newFrontendAPI(clerk.FrontendAPIURL(), func(cfg *clerksvc.FrontendAPIConfig) {
					cfg.ProxyURL, cfg.SecretKey = proxyURL, secret.New(clerk.SecretKey())
				})
			})
			signIn := func(ip string) error {
				_, err := service.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password), Client: clerksvc.Client{IP: ip}})
				return err
			}
			for range 5 {
				if err := signIn("198.51.100.7"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 3 {
				clerk.ResetCalls()
				var limited *clerksvc.RateLimitedError
				if err := signIn("198.51.100.7"); !errors.As(err, &limited) || limited.RetryAfter <= 0 || limited.RetryAfter > 10*time.Second {
					t.Errorf("one sign-in too many: %v", err)
				}
				if calls := clerk.Calls(); i > 0 && len(calls) > 0 {
					t.Errorf("these calls for a sign-in that Clerk had just refused: %v", calls)
				}
			}
			if err := signIn("198.51.100.8"); (err == nil) != (proxyURL != "") {
				t.Errorf("another client: %v", err)
			}
		})
	}
}
