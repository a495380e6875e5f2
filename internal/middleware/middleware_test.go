package middleware_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"

	"clerkql/internal/middleware"
	"clerkql/internal/telemetry"
)

// serve runs a handler behind the stack and returns a function that sends it requests, and what was logged.
func serve(t *testing.T, handler http.HandlerFunc, trusted ...netip.Prefix) (send func(header http.Header, body string) *http.Response, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	router := chi.NewRouter()
	router.Use(middleware.Stack(middleware.Options{
		Logger: telemetry.NewLogger(log, slog.LevelInfo, true), TrustedProxies: trusted, MaxBodyBytes: 100,
	})...)
	router.HandleFunc("/path", handler)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return func(header http.Header, body string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/path?token=hunter2", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}, log
}

func TestRequestID(t *testing.T) {
	var inside string
	send, log := serve(t, func(_ http.ResponseWriter, r *http.Request) { inside = chimiddleware.GetReqID(r.Context()) })
	for name, row := range map[string]struct {
		sent string
		kept bool
	}{
		"none":                   {"", false},
		"a proxy's":              {"7f3a-99.b/c_d", true},
		"too long":               {strings.Repeat("a", 65), false},
		"with a quote":           {`a"b`, false},
		"with something to read": {"a b", false},
	} {
		resp := send(http.Header{"X-Request-Id": {row.sent}}, "")
		got := resp.Header.Get("X-Request-Id")
		if got == "" || got != inside || (got == row.sent) != row.kept {
			t.Errorf("%s: answered %q, inside %q", name, got, inside)
		}
		if !strings.Contains(log.String(), `"request_id":"`+got+`"`) {
			t.Errorf("%s: %q is not logged", name, got)
		}
	}
}

func TestClientIP(t *testing.T) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	for name, row := range map[string]struct {
		trusted   []netip.Prefix
		forwarded []string
		want      string
	}{
		"nobody is trusted":                  {nil, []string{"203.0.113.9"}, "127.0.0.1"},
		"the peer is not":                    {[]netip.Prefix{proxies}, []string{"203.0.113.9"}, "127.0.0.1"},
		"the peer is":                        {[]netip.Prefix{loopback}, []string{"203.0.113.9"}, "203.0.113.9"},
		"what the client wrote is not":       {[]netip.Prefix{loopback}, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":                        {[]netip.Prefix{loopback, proxies}, []string{"198.51.100.1, 203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
		"the chain has something else in it": {[]netip.Prefix{loopback}, []string{"203.0.113.9, unknown"}, ""},
	} {
		var got string
		send, log := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = chimiddleware.GetClientIP(r.Context()) }, row.trusted...)
		send(http.Header{"X-Forwarded-For": row.forwarded}, "")
		if got != row.want || !strings.Contains(log.String(), `"client_ip":"`+row.want+`"`) {
			t.Errorf("%s: %q, want %q; logged %s", name, got, row.want, log)
		}
	}
}

func TestAccessLogHasNoQuery(t *testing.T) {
	send, log := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	send(nil, "hunter2")
	var line struct {
		Msg, Method, Path string
		Status            int
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Msg != "request" || line.Method != http.MethodPost || line.Path != "/path" || line.Status != http.StatusTeapot {
		t.Errorf("logged %s", log)
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the query or the body is logged: %s", log)
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	send, log := serve(t, func(http.ResponseWriter, *http.Request) { panic(errors.New("hunter2")) })
	resp := send(nil, "")
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
	if strings.Contains(string(body)+log.String(), "hunter2") {
		t.Errorf("the value of the panic is told: %s\n%s", body, log)
	}
	if !strings.Contains(log.String(), "panic in a handler") || !strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("the log does not say where: %s", log)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	var readErr error
	send, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, readErr = io.ReadAll(r.Body) })
	send(nil, strings.Repeat("x", 100))
	if readErr != nil {
		t.Errorf("100 bytes: %v", readErr)
	}
	send(nil, strings.Repeat("x", 101))
	var tooLarge *http.MaxBytesError
	if !errors.As(readErr, &tooLarge) {
		t.Errorf("101 bytes: %v", readErr)
	}
}

func TestSecurityHeaders(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"an answer": func(http.ResponseWriter, *http.Request) {},
		"a panic":   func(http.ResponseWriter, *http.Request) { panic("hunter2") },
		"an error":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
	} {
		send, _ := serve(t, handler)
		resp := send(nil, "")
		for header, want := range map[string]string{
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Content-Security-Policy":    "default-src 'none'; frame-ancestors 'none'",
			"Strict-Transport-Security":  "",
		} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s: %s: %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestStrictTransportSecurity(t *testing.T) {
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	for name, row := range map[string]struct {
		trusted []netip.Prefix
		peer    string
		proto   string
		tls     bool
		want    bool
	}{
		"plain":                       {nil, "127.0.0.1:1", "", false, false},
		"TLS":                         {nil, "127.0.0.1:1", "", true, true},
		"nobody is trusted":           {nil, "127.0.0.1:1", "https", false, false},
		"the peer is not":             {[]netip.Prefix{proxies}, "127.0.0.1:1", "https", false, false},
		"the peer is":                 {[]netip.Prefix{loopback}, "127.0.0.1:1", "https", false, true},
		"one of the peers is":         {[]netip.Prefix{loopback, proxies}, "10.1.1.1:1", "HTTPS", false, true},
		"an IPv4 peer on IPv6":        {[]netip.Prefix{loopback}, "[::ffff:127.0.0.1]:1", "https", false, true},
		"the proxy was asked over it": {[]netip.Prefix{loopback}, "127.0.0.1:1", "http", false, false},
		"the proxy says something":    {[]netip.Prefix{loopback}, "127.0.0.1:1", "https, http", false, false},
		"no peer":                     {[]netip.Prefix{loopback}, "@", "https", false, false},
	} {
		stack := middleware.Stack(middleware.Options{Logger: telemetry.NewLogger(io.Discard, slog.LevelInfo, true), TrustedProxies: row.trusted})
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.RemoteAddr = row.peer
		req.Header.Set("X-Forwarded-Proto", row.proto)
		if row.tls {
			req.TLS = &tls.ConnectionState{}
		}
		recorder := httptest.NewRecorder()
		stack.HandlerFunc(func(http.ResponseWriter, *http.Request) {}).ServeHTTP(recorder, req)
		if got := recorder.Header().Get("Strict-Transport-Security") == "max-age=31536000"; got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
