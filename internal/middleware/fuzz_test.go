package middleware_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"testing"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"clerkql/internal/middleware"
)

// FuzzHeaders holds that whatever a request says of itself, its client is an address or unknown, and its id is one that a log can take.
func FuzzHeaders(f *testing.F) {
	f.Add("203.0.113.9", "7f3a-99.b/c_d", "https", "203.0.113.9")
	f.Add("198.51.100.1, 203.0.113.9, 127.0.0.1", "a\"b", "http", "2001:db8::1%eth0")
	f.Add("::ffff:203.0.113.9, , unknown", "", "HTTPS, http", "")
	id := regexp.MustCompile(`^[A-Za-z0-9._/-]{1,64}$`)
	f.Fuzz(func(t *testing.T, forwarded, requestID, proto, realIP string) {
		var ip string
		router := chi.NewRouter()
		router.Use(middleware.Stack(middleware.Options{
			Logger: slog.New(slog.DiscardHandler), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, MaxBodyBytes: 100,
		})...)
		router.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { ip = chimiddleware.GetClientIP(r.Context()) })
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody) // of 192.0.2.1
		req.Header = http.Header{
			"X-Forwarded-For": {forwarded}, "X-Request-Id": {requestID}, "X-Forwarded-Proto": {proto}, "X-Real-Ip": {realIP}, "True-Client-Ip": {realIP},
		}
		got := httptest.NewRecorder()
		router.ServeHTTP(got, req)
		if got.Code != http.StatusOK {
			t.Errorf("status %d", got.Code)
		}
		if _, err := netip.ParseAddr(ip); ip != "" && err != nil {
			t.Errorf("the client is %q", ip)
		}
		if answered := got.Header().Get("X-Request-Id"); !id.MatchString(answered) {
			t.Errorf("the request is %q", answered)
		}
	})
}
