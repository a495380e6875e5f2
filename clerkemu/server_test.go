package clerkemu

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewRefusesWhatCouldExposeIt(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"all interfaces":   func(o *Options) { o.Addr = ":0" },
		"all IPv4":         func(o *Options) { o.Addr = "0.0.0.0:0" },
		"all IPv6":         func(o *Options) { o.Addr = "[::]:0" },
		"private network":  func(o *Options) { o.Addr = "192.168.1.2:8080" },
		"a name":           func(o *Options) { o.Addr = "localhost.example.com:0" },
		"no port":          func(o *Options) { o.Addr = "127.0.0.1" },
		"live key":         func(o *Options) { o.SecretKey = "sk_live_abc" },
		"bcrypt cost":      func(o *Options) { o.BcryptCost = 99 },
		"negative life":    func(o *Options) { o.CodeLife = -time.Second },
		"negative mailbox": func(o *Options) { o.MailboxSize = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			var o Options
			change(&o)
			if s, err := New(o); err == nil {
				t.Errorf("accepted: %s", s.URL())
			}
		})
	}
	for _, addr := range []string{"127.0.0.1:0", "127.9.9.9:0", "[::1]:0", "localhost:0", "LOCALHOST:0"} {
		if err := checkLoopbackAddr(addr); err != nil {
			t.Error(err)
		}
	}
}

func TestStartWarnsAndCloseIsFinal(t *testing.T) {
	var log bytes.Buffer
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{SigningKey: key, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if s.Start() == nil {
		t.Error("started twice")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "not for production") {
		t.Errorf("log: %s", log.String())
	}
	if _, err := http.Get(s.URL() + mailboxPath); err == nil {
		t.Error("serves after Close")
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/mailbox", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("the handler answers %d after Close", w.Code)
	}
}

func TestCloseEndsInjectedLatency(t *testing.T) {
	f := start(t)
	if err := f.InjectFault(Fault{Operation: "*", Kind: FaultLatency, Latency: maxFaultLatency, Times: 1}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, f.APIURL()+"/jwks", nil)
		if err == nil {
			_, err = f.client.Do(req)
		}
		done <- err
	}()
	for deadline := time.Now().Add(5 * time.Second); f.PendingFaults() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if waited := time.Since(began); waited > 5*time.Second {
		t.Errorf("Close took %s", waited)
	}
	if err := <-done; err == nil {
		t.Error("the waiting request got an answer")
	}
}

func TestAuthorization(t *testing.T) {
	f := start(t)
	for header, code := range map[string]string{
		"": "authorization_header_format_invalid", "Bearer ": "authorization_header_format_invalid",
		"Basic " + f.SecretKey(): "authorization_header_format_invalid", f.SecretKey(): "authorization_header_format_invalid",
		"Bearer sk_test_other": "clerk_key_invalid", "Bearer " + f.SecretKey() + "x": "clerk_key_invalid",
	} {
		f.do("GET", "/users", nil, "Authorization", header).want(t, http.StatusUnauthorized, code)
	}
}

func TestAPIVersions(t *testing.T) {
	f := start(t)
	for _, version := range []string{"2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"} {
		if r := f.do("GET", "/domains", nil, "Clerk-Api-Version", version); r.status != http.StatusOK {
			t.Errorf("%s: %d", version, r.status)
		}
		f.ok("GET", "/domains?__clerk_api_version="+version, nil)
	}
	f.do("GET", "/domains", nil, "Clerk-Api-Version", "2025-04-11").want(t, 400, "api_version_invalid")
	f.do("GET", "/domains?__clerk_api_version=2025-04-10", nil, "Clerk-Api-Version", "2025-04-10").want(t, 400, "api_version_invalid")
}

func TestBodies(t *testing.T) {
	f := start(t)
	for name, tt := range map[string]struct {
		body, contentType string
		status            int
		code              string
	}{
		"not JSON":      {"{", "application/json", 400, "request_body_invalid"},
		"two values":    {"{} {}", "application/json", 400, "request_body_invalid"},
		"an array":      {"[]", "application/json", 400, "request_body_invalid"},
		"not UTF-8":     {"{\"a\":\"\xff\"}", "application/json", 400, "request_body_invalid"},
		"a form":        {"a=b", "application/x-www-form-urlencoded", 415, "unsupported_content_type"},
		"no type":       {"{}", "", 415, "unsupported_content_type"},
		"too large":     {`{"a":"` + strings.Repeat("x", maxBodyBytes), "application/json", 413, "request_body_too_large"},
		"with charset":  {"{}", "application/json; charset=utf-8", 422, "form_data_missing"},
		"null":          {"null", "application/json", 422, "form_data_missing"},
		"other casing":  {`{"Password":"x"}`, "application/json", 422, "form_param_unknown"},
		"nothing there": {"", "", 422, "form_data_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			f.do("POST", "/users", tt.body, "Content-Type", tt.contentType).want(t, tt.status, tt.code)
		})
	}
}

func TestUnknownPaths(t *testing.T) {
	f := start(t)
	u := f.seed("here@example.com")
	for _, path := range []string{
		"/nothing", "/users/" + u.ID + "/nothing", "/users/", "/client/sign_ins",
		"/domains/../users/" + u.ID, "/domains%2F..%2Fusers",
	} {
		f.do("GET", path, nil).want(t, http.StatusNotFound, "resource_not_found")
	}
	f.do("PUT", "/users", nil).want(t, http.StatusNotFound, "resource_not_found")
	f.do("POST", "/jwks", nil).want(t, http.StatusNotFound, "resource_not_found")
}

func TestRateLimit(t *testing.T) {
	f := start(t, func(o *Options) { o.RateLimit = 3 })
	now := time.Now()
	for range 3 {
		f.ok("GET", "/domains", nil)
	}
	r := f.do("GET", "/domains", nil)
	r.want(t, http.StatusTooManyRequests, "too_many_requests")
	if time.Since(now) < time.Second {
		if wait := r.header.Get("Retry-After"); wait != "10" {
			t.Errorf("Retry-After %q", wait)
		}
	}
	f.ok("GET", "/jwks", nil) // exempt
	f.FastForward(rateWindow)
	f.ok("GET", "/domains", nil)
	for production, want := range map[bool]int{false: 100, true: 1000} {
		o, err := Options{Production: production}.complete()
		if err != nil || o.RateLimit != want {
			t.Errorf("production %v: %d %v", production, o.RateLimit, err)
		}
	}
}

func TestCallsAreARing(t *testing.T) {
	f := start(t)
	f.ok("GET", "/domains", nil)
	f.do("GET", "/nothing", nil)
	f.do("GET", "/"+strings.Repeat("n", 2*maxCallPath), nil)
	calls := f.Calls()
	want := []Call{
		{"ListDomains", "GET", "/v1/domains", 200},
		{"", "GET", "/v1/nothing", 404},
		{"", "GET", "/v1/" + strings.Repeat("n", maxCallPath-len("/v1/")), 404},
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	f.ResetCalls()
	f.calls.add(Call{Status: -1})
	for i := range maxCalls {
		f.calls.add(Call{Status: i})
	}
	if calls = f.Calls(); len(calls) != maxCalls || calls[0].Status != 0 || calls[maxCalls-1].Status != maxCalls-1 {
		t.Errorf("%d calls from %d", len(calls), calls[0].Status)
	}
	f.ResetCalls()
	if len(f.Calls()) != 0 {
		t.Error("not reset")
	}
}

func TestHeadersAreBounded(t *testing.T) {
	f := start(t)
	for size, want := range map[int]int{maxHeaderBytes / 2: 200, 2 * maxHeaderBytes: 431} {
		if resp, _ := f.get("/mailbox", "X-Long", strings.Repeat("x", size)); resp.StatusCode != want {
			t.Errorf("%d bytes: %d", size, resp.StatusCode)
		}
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	f := start(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	u := f.seed("quiet@example.com")
	f.ok("POST", "/users/"+u.ID+"/verify_password", map[string]any{"password": goodPassword})
	f.prepare(u.EmailAddressID)
	code := f.code(u.EmailAddress)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "VerifyPassword") {
		t.Errorf("calls are not logged: %s", log.String())
	}
	for _, secret := range []string{goodPassword, "quiet@example.com", "Bearer", f.SecretKey()} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is logged", secret)
		}
	}
	if strings.Contains(log.String(), "="+code) {
		t.Error("the code is logged")
	}
}

func TestLostClientsHaveNoEffect(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := f.hashPassword(ctx, goodPassword)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Clients measure the skew of their clock with the Date header.
func TestDateIsThatOfTheInstance(t *testing.T) {
	f := start(t)
	f.FastForward(48 * time.Hour)
	for _, r := range []reply{f.do("GET", "/domains", nil), f.do("GET", "/nothing", nil), f.native("/client/sign_ins", nil, "")} {
		date, err := http.ParseTime(r.header.Get("Date"))
		if err != nil || f.clock.Now().Sub(date).Abs() > time.Minute {
			t.Errorf("Date %q (%v), and it is %s", r.header.Get("Date"), err, f.clock.Now().UTC())
		}
	}
}
