package clerkemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFaults sends CreateUser through each kind of fault, then without one.
func TestFaults(t *testing.T) {
	const latency = 30 * time.Millisecond
	tests := []struct {
		name   string
		fault  Fault
		status int   // of the answer; 0: none
		cut    error // what reading the body ends with
		effect bool
	}{
		{"latency", Fault{Kind: FaultLatency, Latency: latency}, 200, nil, true},
		{"status", Fault{Kind: FaultStatus, Status: 503, Code: "maintenance"}, 503, nil, false},
		{"default status, late", Fault{Kind: FaultStatus, Latency: latency}, 500, nil, false},
		{"too many", Fault{Kind: FaultStatus, Status: 429, RetryAfter: 3 * time.Second}, 429, nil, false},
		{"drop", Fault{Kind: FaultDrop}, 0, nil, false},
		{"drop after effect", Fault{Kind: FaultDropAfterEffect}, 0, nil, true},
		{"truncate", Fault{Kind: FaultTruncate}, 200, io.ErrUnexpectedEOF, true},
		{"garbage", Fault{Kind: FaultGarbage}, 502, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t)
			tt.fault.Operation, tt.fault.Times = "CreateUser", 1
			if err := f.InjectFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			f.ok("GET", "/domains", nil) // another operation is not touched
			began := time.Now()
			resp, err := f.createPlainly("fault@example.com")
			if tt.status == 0 {
				if err == nil {
					t.Fatalf("got an answer: %d", resp.StatusCode)
				}
			} else if err != nil || resp.StatusCode != tt.status {
				t.Fatalf("got %v %v", resp, err)
			}
			if took := time.Since(began); took < tt.fault.Latency {
				t.Errorf("took %s", took)
			}
			if resp != nil {
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if !errors.Is(err, tt.cut) || tt.cut != nil && int64(len(body)) != resp.ContentLength/2 {
					t.Errorf("read %d of %d: %v", len(body), resp.ContentLength, err)
				}
				if wait := resp.Header.Get("Retry-After"); tt.status == 429 && wait != "3" {
					t.Errorf("Retry-After %q", wait)
				}
				if tt.fault.Kind == FaultGarbage && (resp.Header.Get("Content-Type") != "text/html" || body[0] != '<') {
					t.Errorf("garbage is %q", body)
				}
			}
			if _, made := f.UserByEmail("fault@example.com"); made != tt.effect {
				t.Errorf("user made: %v", made)
			}
			last := f.Calls()[len(f.Calls())-1]
			if diff := cmp.Diff(Call{"CreateUser", "POST", "/v1/users", tt.status}, last); diff != "" {
				t.Error(diff)
			}
			f.ok("POST", "/users", map[string]any{"email_address": []string{"after@example.com"}, "password": goodPassword})
		})
	}
}

// createPlainly creates a user with a client that checks nothing.
func (f *fixture) createPlainly(address string) (*http.Response, error) {
	f.t.Helper()
	body := bytes.NewBufferString(`{"email_address":["` + address + `"],"password":"` + goodPassword + `"}`)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.APIURL()+"/users", body)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.SecretKey())
	req.Header.Set("Content-Type", "application/json")
	return f.plain.Do(req)
}

func TestFaultsQueueUpAndClear(t *testing.T) {
	f := start(t)
	for _, fault := range []Fault{
		{Operation: "ListDomains", Kind: FaultStatus, Status: 500, Times: 2},
		{Operation: "*", Kind: FaultStatus, Status: 503, Code: "down"},
	} {
		if err := f.InjectFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	f.do("GET", "/domains", nil).want(t, 500, "internal_clerk_error")
	f.do("GET", "/jwks", nil).want(t, 503, "down")
	f.do("GET", "/domains", nil).want(t, 500, "internal_clerk_error")
	for range 3 {
		f.do("GET", "/domains", nil).want(t, 503, "down")
	}
	f.ClearFaults()
	f.ok("GET", "/domains", nil)
}

// TestFaultsLetCallsPass has a fault that waits for the third call of its operation, and one that meets those which it lets pass.
func TestFaultsLetCallsPass(t *testing.T) {
	f := start(t)
	for _, fault := range []Fault{
		{Operation: "ListDomains", Kind: FaultStatus, Status: 500, Skip: 2, Times: 2},
		{Operation: "*", Kind: FaultStatus, Status: 503, Code: "down", Times: 1},
	} {
		if err := f.InjectFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	f.do("GET", "/domains", nil).want(t, 503, "down")
	if pending := f.PendingFaults(); pending != 1 {
		t.Errorf("%d faults are pending", pending)
	}
	f.ok("GET", "/jwks", nil) // another operation is not counted
	f.ok("GET", "/domains", nil)
	f.do("GET", "/domains", nil).want(t, 500, "internal_clerk_error")
	f.do("GET", "/domains", nil).want(t, 500, "internal_clerk_error")
	f.ok("GET", "/domains", nil)
	if pending := f.PendingFaults(); pending != 0 {
		t.Errorf("%d faults are pending at the end", pending)
	}
}

// TestAFaultThatHoldsACallBackIsNotPending lets who waits for a call know that it was made.
func TestAFaultThatHoldsACallBackIsNotPending(t *testing.T) {
	f := start(t)
	if err := f.InjectFault(Fault{Operation: "CreateUser", Kind: FaultLatency, Latency: 200 * time.Millisecond, Times: 1}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		resp, err := f.createPlainly("held@example.com")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	for f.PendingFaults() > 0 {
		time.Sleep(time.Millisecond)
	}
	if _, made := f.UserByEmail("held@example.com"); made {
		t.Error("the call took effect before it was held back")
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestInjectFaultRefusals(t *testing.T) {
	f := start(t)
	for name, fault := range map[string]Fault{
		"operation":     {Operation: "Nothing", Kind: FaultDrop},
		"no operation":  {Kind: FaultDrop},
		"kind":          {Operation: "*", Kind: "explode"},
		"no latency":    {Operation: "*", Kind: FaultLatency},
		"long latency":  {Operation: "*", Kind: FaultLatency, Latency: time.Hour},
		"times":         {Operation: "*", Kind: FaultDrop, Times: -1},
		"skip":          {Operation: "*", Kind: FaultDrop, Skip: -1},
		"success":       {Operation: "*", Kind: FaultStatus, Status: 200},
		"impossible":    {Operation: "*", Kind: FaultStatus, Status: 700},
		"negative wait": {Operation: "*", Kind: FaultDrop, Latency: -1},
	} {
		if f.InjectFault(fault) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for range maxFaults {
		if err := f.InjectFault(Fault{Operation: "*", Kind: FaultDrop}); err != nil {
			t.Fatal(err)
		}
	}
	if f.InjectFault(Fault{Operation: "*", Kind: FaultDrop}) == nil {
		t.Error("the list of faults has no bound")
	}
}
