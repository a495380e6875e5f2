package e2e

import (
	"net/http"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

const friend = "https://app.example.com"

// preflight asks what a browser asks before it sends a request of another origin.
func (a *api) preflight(t testing.TB, origin, method, headers string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, a.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", method)
	if headers != "" {
		req.Header.Set("Access-Control-Request-Headers", headers)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// allowed returns what CORS says in an answer: the origin, and whether cookies go along.
func allowed(resp *http.Response) string {
	return strings.TrimSpace(resp.Header.Get("Access-Control-Allow-Origin") + " " + resp.Header.Get("Access-Control-Allow-Credentials"))
}

func TestCORS(t *testing.T) {
	clerk := clerkemu.RunT(t)
	for _, server := range []struct {
		name, friend string // what a page of the friend's origin is told
		flags        []string
	}{
		{"nobody", "", nil},
		{"nobody, with cookies", "", []string{"--session-cookies"}},
		{"a list", friend, []string{"--allowed-origins=http://localhost:3000," + friend}},
		{"a list, with cookies", friend + " true", []string{"--allowed-origins=" + friend, "--session-cookies"}},
	} {
		t.Run(server.name, func(t *testing.T) {
			a := startAPI(t, clerk, server.flags...)
			for _, row := range []struct{ origin, method, headers, want string }{
				{friend, "POST", "authorization,content-type,idempotency-key,x-request-id", server.friend},
				{friend, "GET", "", server.friend},
				{friend, "DELETE", "", ""},
				{friend, "POST", "x-other", ""},
				{"https://evil.example", "POST", "content-type", ""},
				{"https://app.example.com.evil.example", "POST", "content-type", ""},
				{"https://evil-app.example.com", "POST", "content-type", ""},
				{"http://app.example.com", "POST", "content-type", ""},
				{"https://app.example.com:8443", "POST", "content-type", ""},
				{"null", "POST", "content-type", ""},
			} {
				resp := a.preflight(t, row.origin, row.method, row.headers)
				if got := allowed(resp); got != row.want {
					t.Errorf("before %s with %s of %s: %q, want %q", row.method, row.headers, row.origin, got, row.want)
				}
				if (resp.Header.Get("Access-Control-Max-Age") == "7200") != (row.want != "") {
					t.Errorf("before %s of %s: max age %s", row.method, row.origin, resp.Header.Get("Access-Control-Max-Age"))
				}
				if server.friend != "" && !strings.Contains(strings.Join(resp.Header["Vary"], ", "), "Origin") {
					t.Errorf("Vary: %s", resp.Header["Vary"])
				}
			}
			for origin, want := range map[string]string{friend: server.friend, "https://evil.example": "", "": ""} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"?query=%7B__typename%7D", nil)
				if err != nil {
					t.Fatal(err)
				}
				if origin != "" {
					req.Header.Set("Origin", origin)
				}
				resp, err := httpClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := allowed(resp); got != want || resp.StatusCode != http.StatusOK {
					t.Errorf("to %s: %q, want %q; status %d", origin, got, want, resp.StatusCode)
				}
				if got := resp.Header.Get("Access-Control-Expose-Headers"); (got == "Idempotency-Replayed, Retry-After, X-Request-Id") != (want != "") {
					t.Errorf("to %s: headers %s", origin, got)
				}
				if server.friend != "" && !strings.Contains(strings.Join(resp.Header["Vary"], ", "), "Origin") {
					t.Errorf("Vary: %s", resp.Header["Vary"])
				}
			}
		})
	}
}

// TestAllowedOriginsCanUseTheCookies has a page of an allowed origin, and others that still can't.
func TestAllowedOriginsCanUseTheCookies(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk, "--allowed-origins="+friend)
	user := seed(t, clerk, ada())
	page := http.Header{"Origin": {friend}, "Sec-Fetch-Site": {"same-site"}}
	if _, result, raw := b.post(t, "signIn", map[string]any{"email": email, "password": password}, page); result.typename() != "SessionCreated" {
		t.Fatal(raw)
	}
	for _, origin := range []string{"https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"} {
		status, _, raw := b.post(t, "signOutEverywhere", nil, http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}})
		if status != http.StatusForbidden {
			t.Errorf("%s: status %d, %s", origin, status, raw)
		}
	}
	form := http.Header{"Origin": {friend}, "Sec-Fetch-Site": {"same-site"}, "Content-Type": {"text/plain"}}
	if status, _, raw := b.post(t, "signOutEverywhere", nil, form); status != http.StatusUnsupportedMediaType {
		t.Errorf("a form, which no CORS holds: status %d, %s", status, raw)
	}
	if len(activeSessions(clerk, user.ID)) != 1 {
		t.Error("the session was ended")
	}
	if _, result, raw := b.post(t, "signOut", nil, page); result.typename() != "SignedOut" {
		t.Error(raw)
	}
}
