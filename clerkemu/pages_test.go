package clerkemu

import (
	"encoding/json"
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
	if policy := resp.Header.Get("Content-Security-Policy"); policy != mailboxPolicy || strings.Contains(body, "style=") || strings.Contains(body, "<script") {
		t.Errorf("policy %q", policy)
	}
	if _, body = f.get("/mailbox?to=%22%3E%3Cb%3E"); strings.Contains(body, "<b>") {
		t.Error("the filter is not escaped")
	}
	if resp, body = f.get("/mailbox/mailbox.css"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") || body == "" {
		t.Errorf("style sheet: %d %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	f.prepare(bob.EmailAddressID)
	if mail := f.Mail(""); len(mail) != 3 || mail[2].To != "o'bob@example.com" {
		t.Errorf("the mailbox is not bounded: %+v", mail)
	}
}

func TestPagesRefuseForeignHosts(t *testing.T) {
	f := start(t)
	for _, path := range []string{"/mailbox", "/mailbox.json", "/mailbox/mailbox.css", "/control/calls"} {
		for host, want := range map[string]int{
			"evil.example": 403, "evil.example:80": 403, "127.0.0.1.evil.example": 403, "192.168.0.1": 403,
			"localhost": 200, "127.0.0.1:1": 200, "[::1]:9": 200, "[::1]": 200,
		} {
			if resp, _ := f.get(path, "Host", host); resp.StatusCode != want {
				t.Errorf("%s of %s: %d", path, host, resp.StatusCode)
			}
		}
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
	if status, body := send("POST", "/users", `{"emailAddress":"c@example.com","password":"x","reserved":true}`); status != 201 || !strings.Contains(body, `"emailAddressId":"idn_`) {
		t.Errorf("seed: %d %s", status, body)
	}
	if u, ok := f.UserByEmail("c@example.com"); !ok || !u.Reserved {
		t.Errorf("seeded %+v", u)
	}
	if status, body := send("POST", "/faults", `{"operation":"ListDomains","kind":"status","status":503,"code":"down","times":1,"retryAfterSeconds":7}`); status != 204 {
		t.Errorf("fault: %d %s", status, body)
	}
	r := f.do("GET", "/domains", nil)
	if r.want(t, 503, "down"); r.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	if status, body := send("GET", "/calls", ""); status != 200 || body != `[{"operation":"ListDomains","method":"GET","path":"/v1/domains","status":503}]` {
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
	if resp, _ := f.page("POST", "/control/clock", `{"advanceSeconds":1}`, "Content-Type", "text/plain"); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("plain text: %d", resp.StatusCode)
	}
}
