package cookies_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"clerkql/internal/cookies"
)

func TestCookies(t *testing.T) {
	server := httptest.NewServer(cookies.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := cookies.Get(r.Context(), cookies.Refresh); got != "before" {
			t.Errorf("sent %q", got)
		}
		if got := cookies.Get(r.Context(), cookies.Device); got != "" {
			t.Errorf("a cookie that was not sent: %q", got)
		}
		if !cookies.Set(r.Context(), cookies.Session, "one", time.Now().Add(time.Minute)) || !cookies.Set(r.Context(), cookies.Refresh, "two", time.Now().Add(time.Hour)) {
			t.Error("not kept")
		}
		cookies.Delete(r.Context(), cookies.Device)
	})))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: string(cookies.Refresh), Value: "before"})
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	kept := map[string]*http.Cookie{}
	for _, cookie := range resp.Cookies() {
		kept[cookie.Name] = cookie
		// What browsers demand of a name that begins with __Host-, and what keeps scripts away.
		if cookie.Path != "/" || cookie.Domain != "" || !cookie.Secure || !cookie.HttpOnly {
			t.Errorf("%s: %+v", cookie.Name, cookie)
		}
	}
	for name, want := range map[string]struct {
		value    string
		sameSite http.SameSite
	}{
		"__Host-clerkql_session": {"one", http.SameSiteLaxMode},
		"__Host-clerkql_refresh": {"two", http.SameSiteStrictMode},
		"__Host-clerkql_device":  {"", http.SameSiteStrictMode},
	} {
		if cookie := kept[name]; cookie == nil || cookie.Value != want.value || cookie.SameSite != want.sameSite {
			t.Errorf("%s: %+v", name, cookie)
		}
	}
	if !kept["__Host-clerkql_device"].Expires.Before(time.Now()) || kept["__Host-clerkql_session"].Expires.Before(time.Now()) {
		t.Errorf("ages: %+v", kept)
	}
}

func TestWithoutHandlerNothingIsKept(t *testing.T) {
	if cookies.Set(t.Context(), cookies.Session, "one", time.Now()) || cookies.Get(t.Context(), cookies.Session) != "" {
		t.Error("kept somewhere")
	}
	cookies.Delete(t.Context(), cookies.Session)
}
