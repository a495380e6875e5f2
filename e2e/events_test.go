package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// event is an event of the audit log.
type event struct {
	Msg, Event, Identifier, Level string
	ClientIP                      string `json:"client_ip"`
	UserID                        string `json:"user_id"`
	RequestID                     string `json:"request_id"`
	ClerkTraceID                  string `json:"clerk_trace_id"`
}

var upper = regexp.MustCompile(`[A-Z]`)

// eventOf returns the event that a mutation is logged as which ended with a member.
func eventOf(mutation string, result member) string {
	outcome := "succeeded"
	if code := result.text("code"); code != "" {
		outcome = strings.ToLower(code)
	}
	return upper.ReplaceAllStringFunc(mutation, func(letter string) string { return "_" + strings.ToLower(letter) }) + "." + outcome
}

// expect has check look for the event of a mutation.
func (b *logBuffer) expect(mutation string, result member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.events == nil {
		b.events = map[string]int{}
	}
	b.events[eventOf(mutation, result)]++
}

// expected returns how many events check looks for.
func (b *logBuffer) expected() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := 0
	for _, times := range b.events {
		number += times
	}
	return number
}

// audited returns the events in the log.
func (b *logBuffer) audited() []event {
	var events []event
	for line := range strings.Lines(b.String()) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "audit" {
			events = append(events, e)
		}
	}
	return events
}

// missing returns the events that were expected and are not in the log, and how many of each. A decoy passes for a success.
func (b *logBuffer) missing() map[string]int {
	missing := map[string]int{}
	events := b.audited()
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, expected := range b.events {
		missing[name] = expected
	}
	for _, e := range events {
		name := strings.Replace(e.Event, ".decoy", ".succeeded", 1)
		if missing[name]--; missing[name] <= 0 {
			delete(missing, name)
		}
	}
	return missing
}

// TestEvents has one event for each mutation, with what tells whose it was, from where, and what Clerk calls it. Every test holds the log to the
// outcomes that it received.
func TestEvents(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--trusted-proxies=127.0.0.1/32")
	docs, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := a.steps(t, clerk)
	for i, step := range steps {
		header := http.Header{"X-Request-Id": {fmt.Sprintf("step-%d", i)}, "X-Forwarded-For": {"198.51.100.7"}}
		if step.sessionToken != "" {
			header.Set("Authorization", "Bearer "+step.sessionToken)
		}
		if got := a.doWith(t, header, step.mutation, step.input); got.typename() != step.success {
			t.Fatalf("%s: %v", step.mutation, got)
		}
	}
	a.from(t, "198.51.100.7", "signIn", map[string]any{"email": "ADA@example.com", "password": "not the password"})
	a.from(t, "198.51.100.7", "signIn", map[string]any{"email": "absent@example.com", "password": "not the password"})
	a.from(t, "198.51.100.7", "requestPasswordReset", map[string]any{"email": "absent@example.com"})
	a.viewer(t, bearer("no token"))
	a.stop(t)

	byRequest, byName := map[string][]event{}, map[string]event{}
	for _, e := range a.log.audited() {
		byRequest[e.RequestID] = append(byRequest[e.RequestID], e)
		byName[e.Event] = e
	}
	var ada string
	for i, step := range steps {
		events := byRequest[fmt.Sprintf("step-%d", i)]
		if len(events) != 1 {
			t.Fatalf("%s: %d events", step.mutation, len(events))
		}
		e, name := events[0], eventOf(step.mutation, member{})
		if e.Event != name || e.Level != "INFO" || e.ClientIP != "198.51.100.7" || !strings.HasPrefix(e.UserID, "user_") || e.ClerkTraceID == "" {
			t.Errorf("%s: %+v", step.mutation, e)
		}
		if flow, _, _ := strings.Cut(name, "."); !strings.Contains(string(docs), "`"+flow+"`") {
			t.Errorf("docs/security.md does not have %s", flow)
		}
		if session := strings.Contains(strings.ToLower(step.mutation), "session") || strings.HasPrefix(step.mutation, "signOut"); session != (e.Identifier == "") {
			t.Errorf("%s: identifier %q", step.mutation, e.Identifier)
		}
		switch step.mutation {
		case "signIn":
			ada = e.Identifier
		case "requestPasswordReset", "resetPassword":
			if e.Identifier != ada {
				t.Errorf("%s: identifier %q, that of signIn is %q", step.mutation, e.Identifier, ada)
			}
		}
	}
	if absent := byName["sign_in.invalid_credentials"]; absent.UserID != "" || absent.Identifier == "" || absent.Identifier == ada {
		t.Errorf("absent: %+v", absent)
	}
	if decoy := byName["request_password_reset.decoy"]; decoy.UserID != "" || decoy.Identifier != byName["sign_in.invalid_credentials"].Identifier {
		t.Errorf("decoy: %+v", decoy)
	}
	if _, logged := byName["viewer.not_signed_in"]; !logged {
		t.Error("a session token that was refused is not logged")
	}
}
