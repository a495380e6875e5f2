package clerkemu

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestMailbox(t *testing.T) {
	f := start(t, func(o *Options) { o.MailboxSize = 3 })
	ann, bob := f.seed("ann@example.com"), f.seed("o'bob@example.com")
	resp, body := f.get("/mailbox.json?to=ann@example.com")
	if body != "[]" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("empty mailbox: %q", body)
	}
	f.prepare(ann.EmailAddressID)
	f.prepare(bob.EmailAddressID)
	f.prepare(ann.EmailAddressID)
	_, body = f.get("/mailbox.json?to=ANN@example.com")
	var mail []map[string]any
	if err := json.Unmarshal([]byte(body), &mail); err != nil || len(mail) != 2 {
		t.Fatalf("%v %s", err, body)
	}
	newest := f.Mail("ann@example.com")[0]
	if mail[0]["code"] != newest.Code || mail[0]["to"] != "ann@example.com" || len(newest.Code) != 6 ||
		!strings.Contains(mail[0]["subject"].(string), newest.Code) || mail[0]["sentAt"] == "" {
		t.Errorf("newest: %v", mail[0])
	}
	resp, body = f.get("/mailbox")
	for _, want := range []string{newest.Code, "o&#39;bob@example.com", `http-equiv="refresh"`, `href="/mailbox/mailbox.css"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); policy != mailboxPolicy {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(body, "style=") || strings.Contains(body, "<script") {
		t.Errorf("the page breaks its policy:\n%s", body)
	}
	if _, body = f.get("/mailbox?to=%22%3E%3Cb%3E"); strings.Contains(body, "<b>") {
		t.Error("the filter is not escaped")
	}
	resp, body = f.get("/mailbox/mailbox.css")
	media := resp.Header.Get("Content-Type")
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(media, "text/css") || body == "" {
		t.Errorf("style sheet: %d %q", resp.StatusCode, media)
	}
	f.prepare(bob.EmailAddressID)
	if mail := f.Mail(""); len(mail) != 3 || mail[2].To != "o'bob@example.com" {
		t.Errorf("the mailbox is not bounded: %+v", mail)
	}
}

func TestPaths(t *testing.T) {
	f := start(t)
	f.seed("p@example.com")
	for _, path := range []string{"/", "/mailbox", "/mailbox/", "/mailbox/?to=p@example.com"} {
		resp, body := f.get(path)
		if at := strings.TrimSuffix(resp.Request.URL.Path, "/"); at != "/mailbox" || !strings.Contains(body, "<h1>Mailbox") {
			t.Errorf("%s ends at %s: %d %s", path, at, resp.StatusCode, body)
		}
	}
	for _, path := range []string{"/", "/mailbox", "/mailbox/", "/mailbox.json", "/mailbox/mailbox.css"} {
		if resp, body := f.page(http.MethodHead, path, ""); resp.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: %d %q", path, resp.StatusCode, body)
		}
	}
	for _, method := range []string{"GET", "POST", "PUT"} {
		f.do(method, "", nil).want(t, http.StatusNotFound, "resource_not_found")
		f.do(method, "/", nil).want(t, http.StatusNotFound, "resource_not_found")
	}
	if resp, _ := f.get("/elsewhere"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("elsewhere: %d", resp.StatusCode)
	}
}

func TestEveryPathRefusesForeignHosts(t *testing.T) {
	f := start(t)
	for path, served := range map[string]int{
		"/": 200, "/mailbox": 200, "/mailbox/": 200, "/mailbox.json": 200, "/mailbox/mailbox.css": 200,
		"/control/calls": 200, "/v1/domains": 200, "/v1/jwks": 200, "/v1/users": 200, "/v1/nothing": 404, "/v1": 404,
		"/elsewhere": 404,
	} {
		for host, refused := range map[string]bool{
			"evil.example": true, "evil.example:80": true, "127.0.0.1.evil.example": true, "192.168.0.1": true,
			"localhost": false, "127.0.0.1:1": false, "[::1]:9": false, "[::1]": false,
		} {
			want := served
			if refused {
				want = http.StatusForbidden
			}
			if resp, _ := f.get(path, "Host", host, "Authorization", "Bearer "+f.SecretKey()); resp.StatusCode != want {
				t.Errorf("%s of %s: %d, want %d", path, host, resp.StatusCode, want)
			}
		}
	}
	f.page("POST", "/v1/users", `{"email_address":["x@example.com"],"password":"`+goodPassword+`"}`,
		"Host", "evil.example", "Content-Type", "application/json", "Authorization", "Bearer "+f.SecretKey())
	if users := f.Users(); len(users) != 0 {
		t.Errorf("a refused request made users: %+v", users)
	}
	for origin, want := range map[string]int{
		"https://evil.example": 403, "null": 403, "http://localhost:1": 403, f.URL(): 200, "": 200,
	} {
		if resp, _ := f.get("/control/calls", "Origin", origin); resp.StatusCode != want {
			t.Errorf("Origin %q: %d", origin, resp.StatusCode)
		}
	}
}

func TestControl(t *testing.T) {
	f := start(t)
	send := func(method, path, body string) (int, string) {
		resp, text := f.page(method, "/control"+path, body, "Content-Type", "application/json")
		return resp.StatusCode, text
	}
	status, body := send("POST", "/users", `{"emailAddress":"c@example.com","password":"x","reserved":true}`)
	if status != 201 || !strings.Contains(body, `"emailAddressId":"idn_`) {
		t.Errorf("seed: %d %s", status, body)
	}
	if u, ok := f.UserByEmail("c@example.com"); !ok || !u.Reserved {
		t.Errorf("seeded %+v", u)
	}
	fault := `{"operation":"ListDomains","kind":"status","status":503,"code":"down","skip":1,"times":1,"retryAfterSeconds":7}`
	if status, body := send("POST", "/faults", fault); status != 204 {
		t.Errorf("fault: %d %s", status, body)
	}
	if status, body := send("GET", "/faults", ""); status != 200 || body != `{"pending":1}` {
		t.Errorf("pending faults: %d %s", status, body)
	}
	f.ok("GET", "/domains", nil)
	f.ResetCalls()
	r := f.do("GET", "/domains", nil)
	if r.want(t, 503, "down"); r.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	calls := `[{"operation":"ListDomains","method":"GET","path":"/v1/domains","status":503}]`
	if status, body := send("GET", "/calls", ""); status != 200 || body != calls {
		t.Errorf("calls: %d %s", status, body)
	}
	if status, _ := send("DELETE", "/calls", ""); status != 204 || len(f.Calls()) != 0 {
		t.Errorf("reset: %d", status)
	}
	if status, _ := send("POST", "/faults", `{"operation":"*","kind":"latency","latencyMillis":50000}`); status != 204 {
		t.Errorf("latency: %d", status)
	}
	if status, _ := send("DELETE", "/faults", ""); status != 204 {
		t.Errorf("clear: %d", status)
	}
	f.ok("GET", "/domains", nil)
	before := f.clock.Now()
	if status, body := send("POST", "/clock", `{"advanceSeconds":3600}`); status != 200 || f.clock.Now().Sub(before) < time.Hour {
		t.Errorf("clock: %d %s", status, body)
	}
	for _, bad := range [][2]string{
		{"/clock", `{"advanceSeconds":-1}`},
		{"/clock", `{"advance":1}`},
		{"/faults", `{"kind":"drop"}`},
		{"/users", `{"emailAddress":"C@example.com"}`},
		{"/users", `{"emailAddress":"no"}`},
		{"/users", `[`},
		{"/users", `{"emailAddress":"t@example.com","totpSecret":"!"}`},
	} {
		if status, body := send("POST", bad[0], bad[1]); status != 400 || !strings.Contains(body, `"error"`) {
			t.Errorf("%v: %d %s", bad, status, body)
		}
	}
	resp, _ := f.page("POST", "/control/clock", `{"advanceSeconds":1}`, "Content-Type", "text/plain")
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("plain text: %d", resp.StatusCode)
	}
}

func TestTheClockIsBounded(t *testing.T) {
	f := start(t)
	began := f.clock.Now()
	ten := `{"advanceSeconds":315360000}`
	send := func() (int, string) {
		resp, text := f.page("POST", "/control/clock", ten, "Content-Type", "application/json")
		return resp.StatusCode, text
	}
	if status, body := send(); status != 200 {
		t.Errorf("ten years: %d %s", status, body)
	}
	for range 40 { // together more than a time.Duration holds
		if status, body := send(); status != 400 || !strings.Contains(body, "ten years in all") {
			t.Errorf("ten more: %d %s", status, body)
		}
	}
	if moved := f.clock.Now().Sub(began); moved < maxClockOffset || moved > maxClockOffset+time.Minute {
		t.Errorf("the clock moved by %s", moved)
	}
	for _, d := range []time.Duration{1, math.MaxInt64, math.MinInt64, -3 * maxClockOffset, -2*maxClockOffset - 1} {
		if f.clock.advance(d) == nil {
			t.Errorf("moved by %s more", d)
		}
	}
	if err := f.clock.advance(-2 * maxClockOffset); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("FastForward moved the clock beyond its bound")
		}
	}()
	f.FastForward(-time.Second)
}

// get fetches a page that is not part of the Backend API.
func (f *fixture) get(path string, headers ...string) (*http.Response, string) {
	f.t.Helper()
	return f.page(http.MethodGet, path, "", headers...)
}

func (f *fixture) page(method, path, body string, headers ...string) (*http.Response, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, f.URL()+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := f.plain.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp, string(text)
}
