package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// browser keeps cookies as a browser does that talks https, which the tests do not.
type browser struct {
	*api
	cookies map[string]*http.Cookie
}

// post sends a mutation with the cookies, and with the headers of a browser.
func (b *browser) post(t testing.TB, mutation string, input map[string]any, header http.Header) (int, member, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": contract.document(mutation), "variables": map[string]any{"input": input}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", strings.TrimSuffix(b.url, "/graphql"))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, values := range header {
		req.Header[name] = values
	}
	for _, cookie := range b.cookies {
		req.AddCookie(cookie)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range resp.Cookies() {
		if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" ||
			cookie.SameSite != http.SameSiteLaxMode && cookie.SameSite != http.SameSiteStrictMode {
			t.Errorf("a cookie that is not safe: %s", cookie)
		}
		if b.cookies[cookie.Name] = cookie; cookie.Expires.Before(time.Now()) {
			delete(b.cookies, cookie.Name)
		}
	}
	var got struct {
		Data struct{ Result member }
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return resp.StatusCode, got.Data.Result, string(raw)
}

func (b *browser) want(t testing.TB, typename, mutation string, input map[string]any) member {
	t.Helper()
	_, result, raw := b.post(t, mutation, input, nil)
	if result.typename() != typename {
		t.Fatalf("%s answered %s, want %s", mutation, raw, typename)
	}
	return result
}

// cookieHeader is what the browser sends with a query.
func (b *browser) cookieHeader() http.Header {
	var pairs []string
	for _, cookie := range b.cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	return http.Header{"Cookie": {strings.Join(pairs, "; ")}}
}

func startBrowser(t testing.TB, clerk *clerkemu.Server, flags ...string) *browser {
	t.Helper()
	return &browser{startAPI(t, clerk, append(flags, "--session-cookies")...), map[string]*http.Cookie{}}
}

// TestCookies walks a browser through the life of a session. No token is ever in a body.
func TestCookies(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk)
	user := seed(t, clerk, ada())

	session := b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	for _, field := range []string{"sessionToken", "refreshToken", "deviceToken"} {
		if session[field] != nil {
			t.Errorf("%s is in the body", field)
		}
	}
	if len(b.cookies) != 2 {
		t.Fatalf("cookies: %v", b.cookies)
	}
	if viewer, got := b.viewer(t, b.cookieHeader()); viewer.text("userId") != user.ID {
		t.Errorf("viewer: %s", got.Raw)
	}
	before := b.cookies["__Host-clerkql_session"].Value
	refreshed := b.want(t, "SessionRefreshed", "refreshSession", nil)
	if refreshed["sessionToken"] != nil || b.cookies["__Host-clerkql_session"].Value == before {
		t.Errorf("refreshSession: %v", refreshed)
	}
	other := b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	b.want(t, "SessionRevoked", "revokeSession", map[string]any{"sessionId": session["sessionId"]})
	b.want(t, "SignedOut", "signOut", nil)
	if len(b.cookies) != 0 || activeSessions(clerk, user.ID)[other.text("sessionId")] {
		t.Errorf("after signing out: cookies %v", b.cookies)
	}
	if viewer, got := b.viewer(t, b.cookieHeader()); viewer != nil || got.errorCode() != "" {
		t.Errorf("viewer after signing out: %s", got.Raw)
	}

	b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	b.want(t, "SignedOutEverywhere", "signOutEverywhere", nil)
	if len(b.cookies) != 0 {
		t.Errorf("after signing out everywhere: cookies %v", b.cookies)
	}
	b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	clerk.FastForward(8 * 24 * 3600 * 1e9)
	b.want(t, "SessionEnded", "refreshSession", nil)
	if len(b.cookies) != 0 {
		t.Errorf("after the session has ended: cookies %v", b.cookies)
	}
}

// TestCookiesThatAreGone has cookies that the browser dropped, and those that no key opens. Nothing is wrong with what the client
// sends: it is signed out.
func TestCookiesThatAreGone(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk)
	user := seed(t, clerk, ada())
	b.want(t, "SessionEnded", "refreshSession", nil)
	b.want(t, "NotSignedIn", "signOut", nil)

	b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	b.want(t, "InvalidInput", "signOut", map[string]any{"refreshToken": "no refresh token"}) // ends nothing, and forgets nothing
	if len(b.cookies) != 2 {
		t.Errorf("cookies %v", b.cookies)
	}
	b.cookies["__Host-clerkql_refresh"].Value = "v4.local.sealed-with-a-key-that-is-gone"
	b.want(t, "SignedOut", "signOut", nil) // with the session cookie
	if len(activeSessions(clerk, user.ID)) > 0 || len(b.cookies) > 0 {
		t.Errorf("active sessions %v, cookies %v", activeSessions(clerk, user.ID), b.cookies)
	}
	b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	b.cookies["__Host-clerkql_refresh"].Value = "v4.local.sealed-with-a-key-that-is-gone"
	b.want(t, "SessionEnded", "refreshSession", nil)
	if len(b.cookies) > 0 {
		t.Errorf("cookies %v", b.cookies)
	}
}

// TestTheDeviceCookie has a browser's device known by its cookie.
func TestTheDeviceCookie(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk, "--new-device-check=email_code")
	seed(t, clerk, ada())
	credentials := map[string]any{"email": email, "password": password}
	half := b.want(t, "SecondFactorRequired", "signIn", credentials)
	done := b.want(t, "SessionCreated", "attemptSecondFactor", b.prepared(t, clerk, email, half["signInId"]))
	if device := b.cookies["__Host-clerkql_device"]; done["deviceToken"] != nil || device == nil || device.MaxAge < 89*24*3600 {
		t.Fatalf("%v, cookies %v", done, b.cookies)
	}
	b.want(t, "SignedOut", "signOut", nil)
	b.want(t, "SessionCreated", "signIn", credentials)
}

// TestOtherOriginsCanNotUseTheCookies has a page of another origin try. With cookies, its mutations are refused; without, they carry
// nothing that could be abused.
func TestOtherOriginsCanNotUseTheCookies(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk)
	user := seed(t, clerk, ada())
	b.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	for name, header := range map[string]http.Header{
		"another site":                  {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"another origin of the site":    {"Origin": {"https://other.example.com"}, "Sec-Fetch-Site": {"same-site"}},
		"a browser without Sec-Fetch":   {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": nil},
		"an opaque origin":              {"Origin": {"null"}, "Sec-Fetch-Site": {"cross-site"}},
		"a form, which no CORS holds":   {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Content-Type": {"text/plain"}},
		"a form of the same origin":     {"Content-Type": {"application/x-www-form-urlencoded"}},
		"a form that says nothing more": {"Origin": nil, "Sec-Fetch-Site": nil, "Content-Type": {"text/plain"}},
	} {
		status, _, raw := b.post(t, "signOutEverywhere", nil, header)
		if status != http.StatusForbidden && status != http.StatusUnsupportedMediaType || !strings.Contains(raw, "BAD_REQUEST") {
			t.Errorf("%s: status %d, %s", name, status, raw)
		}
	}
	if len(activeSessions(clerk, user.ID)) != 1 {
		t.Error("the session was ended")
	}
	plain := &browser{startAPI(t, clerk), b.cookies}
	_, result, raw := plain.post(t, "signOutEverywhere", nil, http.Header{"Origin": {"https://evil.example"}})
	if result.typename() != "NotSignedIn" {
		t.Errorf("a server without cookies: %s", raw)
	}
}
