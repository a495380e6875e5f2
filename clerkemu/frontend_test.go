package clerkemu

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// chromeOnMac is a User-Agent.
const chromeOnMac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/126.0.0.0 Safari/537.36"

// native sends a Frontend API request as a native client does.
func (f *fixture) native(path string, form url.Values, clientToken string, headers ...string) reply {
	f.t.Helper()
	r, err := f.sendNative(path, form, clientToken, headers...)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// sendNative is native for other goroutines.
func (f *fixture) sendNative(path string, form url.Values, clientToken string, headers ...string) (reply, error) {
	return f.send("POST", path+"?_is_native=1", form.Encode(), append([]string{
		"Authorization", clientToken, "Content-Type", "application/x-www-form-urlencoded", "User-Agent", chromeOnMac,
	}, headers...)...)
}

// ticket makes a sign-in token.
func (f *fixture) ticket(userID string) string {
	f.t.Helper()
	return f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": userID, "expires_in_seconds": 60})["token"].(string)
}

func ticketForm(ticket string) url.Values {
	return url.Values{"strategy": {"ticket"}, "ticket": {ticket}}
}

// signedIn is the answer of a sign-in.
type signedIn struct{ reply }

// redeem tries to sign in with a ticket.
func (f *fixture) redeem(ticket, clientToken string, headers ...string) signedIn {
	f.t.Helper()
	return signedIn{f.native("/client/sign_ins", ticketForm(ticket), clientToken, headers...)}
}

// signIn is redeem for a ticket that must be good.
func (f *fixture) signIn(ticket, clientToken string, headers ...string) signedIn {
	f.t.Helper()
	r := f.redeem(ticket, clientToken, headers...)
	if r.status != http.StatusOK {
		f.t.Fatalf("sign-in: %d %v", r.status, r.body)
	}
	return r
}

func (r signedIn) clientToken() string { return r.header.Get("Authorization") }

func (r signedIn) part(name string) map[string]any {
	return r.body.(map[string]any)[name].(map[string]any)
}

func (r signedIn) sessionID() string { return r.part("response")["created_session_id"].(string) }

func (r signedIn) tokensPath() string { return "/client/sessions/" + r.sessionID() + "/tokens" }

func TestTicketSignIn(t *testing.T) {
	for _, production := range []bool{false, true} {
		f := start(t, func(o *Options) { o.Production = production })
		u := f.seed("ada@example.com", func(s *UserSeed) {
			s.TOTPSecret, s.PrivateMetadata = totpSecret, map[string]any{"secret": "thing"}
		})
		r := f.signIn(f.ticket(u.ID), "")
		client := r.part("client")
		session := client["sessions"].([]any)[0].(map[string]any)
		if r.part("response")["status"] != "complete" || client["last_active_session_id"] != r.sessionID() ||
			session["id"] != r.sessionID() || session["user"].(map[string]any)["id"] != u.ID ||
			session["public_user_data"].(map[string]any)["identifier"] != "ada@example.com" {
			t.Errorf("sign-in %v", r.body)
		}
		for _, private := range []string{"private_metadata", "locale", "bypass_client_trust"} {
			if value, there := session["user"].(map[string]any)[private]; there {
				t.Errorf("the user is shown %s: %v", private, value)
			}
		}
		if jwt := session["last_active_token"].(map[string]any)["jwt"].(string); strings.Count(jwt, ".") != 2 {
			t.Errorf("session token %q", jwt)
		}
		token := f.native(r.tokensPath(), url.Values{"organization_id": {""}}, r.clientToken())
		if token.status != http.StatusOK || token.body.(map[string]any)["object"] != "token" {
			t.Errorf("token: %d %v", token.status, token.body)
		}
	}
}

func TestNativeClientsOnly(t *testing.T) {
	const path, form = "/client/sign_ins", "application/x-www-form-urlencoded"
	f := start(t)
	production := start(t, func(o *Options) { o.Production = true })
	off := start(t, func(o *Options) { o.NativeAPI = new(bool) })
	for _, query := range []string{"", "?_is_native=0", "?_is_native=yes"} {
		f.do("POST", path+query, "", "Authorization", "", "Content-Type", form).want(t, 401, "dev_browser_unauthenticated")
		production.do("POST", path+query, "", "Authorization", "", "Content-Type", form).want(t, 404, "resource_not_found")
		off.do("POST", path+query, "", "Authorization", "", "Content-Type", form).want(t, 401, "dev_browser_unauthenticated")
	}
	f.do("POST", path+"?_is_native=true", "", "Content-Type", form).want(t, 422, "form_param_missing")
	off.native(path, nil, "").want(t, 400, "native_api_disabled")
	off.native("/client/sessions/sess_x/tokens", nil, "").want(t, 400, "native_api_disabled")
	for _, token := range []string{"", "anything"} {
		f.native(path, nil, token, "Origin", "http://localhost:3000").want(t, 400, "origin_authorization_headers_conflict")
	}
	f.do("POST", path+"?_is_native=1&__clerk_api_version=2025-04-10", "", "Content-Type", form).want(t, 422, "form_param_missing")
	f.do("POST", path+"?_is_native=1&__clerk_api_version=1999-01-01", "", "Content-Type", form).want(t, 400, "api_version_invalid")
}

func TestProxy(t *testing.T) {
	const proxy = "https://app.example/__clerk"
	f := start(t, func(o *Options) {
		o.Production, o.ProxyURL, o.SignInRateLimit = true, proxy, 1
	})
	if f.Issuer() != proxy || f.FrontendAPIURL() != f.URL() {
		t.Errorf("issuer %q, Frontend API %q", f.Issuer(), f.FrontendAPIURL())
	}
	domain := f.ok("GET", "/domains", nil)["data"].([]any)[0].(map[string]any)
	if domain["proxy_url"] != proxy || domain["frontend_api_url"] != f.URL() {
		t.Errorf("domain %v", domain)
	}
	for _, tt := range []struct {
		headers []string
		status  int
		code    string
	}{
		{nil, 400, "host_invalid"},
		{[]string{"Clerk-Proxy-Url", proxy + "/"}, 400, "host_invalid"},
		{[]string{"Clerk-Proxy-Url", "https://evil.example", "Clerk-Secret-Key", f.SecretKey()}, 400, "host_invalid"},
		{[]string{"Clerk-Proxy-Url", proxy}, 400, "proxy_request_missing_secret_key"},
		{[]string{"Clerk-Proxy-Url", proxy, "Clerk-Secret-Key", "sk_test_x"}, 401, "proxy_request_invalid_secret_key"},
	} {
		f.redeem("x", "", tt.headers...).want(t, tt.status, tt.code)
	}

	u := f.seed("ada@example.com")
	through := func(ip string) []string {
		return []string{"Clerk-Proxy-Url", proxy, "Clerk-Secret-Key", f.SecretKey(), "X-Forwarded-For", ip}
	}
	r := f.signIn(f.ticket(u.ID), "", through("203.0.113.9, 10.0.0.1")...)
	jwt := r.part("client")["sessions"].([]any)[0].(map[string]any)["last_active_token"].(map[string]any)["jwt"].(string)
	var claims struct{ Iss string }
	if !f.signer.verify(jwt, &claims) || claims.Iss != proxy {
		t.Errorf("issuer %q", claims.Iss)
	}
	f.redeem("x", "", through(" 203.0.113.9 ")...).want(t, 429, "too_many_requests")
	f.signIn(f.ticket(u.ID), "", through("2001:db8::1")...)
	f.signIn(f.ticket(u.ID), "", through("unknown")...)
	f.redeem("x", "", through("")...).want(t, 429, "too_many_requests") // as the one before
	for i, want := range []string{"203.0.113.9", "2001:db8::1", "127.0.0.1"} {
		if got := f.Sessions(u.ID)[i].IPAddress; got != want {
			t.Errorf("session %d is of %q, want %q", i, got, want)
		}
	}

	plain := start(t)
	plain.redeem("x", "", "Clerk-Proxy-Url", proxy).want(t, 400, "host_invalid")
	if plain.Issuer() != plain.URL() {
		t.Errorf("issuer %q", plain.Issuer())
	}
	v := plain.seed("ada@example.com")
	plain.signIn(plain.ticket(v.ID), "", "X-Forwarded-For", "203.0.113.9")
	if got := plain.Sessions(v.ID)[0].IPAddress; got != "127.0.0.1" {
		t.Errorf("X-Forwarded-For is believed: %q", got)
	}
}

func TestProxyURLRefusals(t *testing.T) {
	for _, tt := range []Options{
		{ProxyURL: "https://app.example/__clerk"}, // in development
		{Production: true, ProxyURL: "app.example"},
		{Production: true, ProxyURL: "ftp://app.example"},
		{Production: true, ProxyURL: "https:///__clerk"},
		{Production: true, ProxyURL: "https://app.example/__clerk/"},
		{Production: true, ProxyURL: "https://app.example/?a=b"},
		{Production: true, ProxyURL: "https://app.example/#a"},
		{Production: true, ProxyURL: "https://me@app.example"},
		{Production: true, ProxyURL: "https://app.example/%zz"},
	} {
		if err := tt.checkProxyURL(); err == nil {
			t.Errorf("accepted %q", tt.ProxyURL)
		}
		if _, err := New(tt); err == nil {
			t.Errorf("New accepts %q", tt.ProxyURL)
		}
	}
}
