package e2e

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// TestDoctorFaults has every call fail once, with and without its effect. It must be told, and nothing must be left.
func TestDoctorFaults(t *testing.T) {
	for _, mode := range modes() {
		if mode.production {
			continue // makes the same calls
		}
		clerk := runClerk(t, mode.options)
		flags := append(mode.flags(clerk), "--yes")
		examine(t, clerk, "", flags...)
		calls := slices.Clone(clerk.Calls())
		slices.SortFunc(calls, func(a, b clerkemu.Call) int { return strings.Compare(a.Operation, b.Operation) })
		for _, call := range slices.CompactFunc(calls, func(a, b clerkemu.Call) bool { return a.Operation == b.Operation }) {
			kinds := []clerkemu.FaultKind{clerkemu.FaultStatus, clerkemu.FaultDropAfterEffect}
			if call.Method == http.MethodGet {
				kinds[1] = clerkemu.FaultTruncate // net/http repeats one without an answer
			}
			for _, kind := range kinds {
				fault := clerkemu.Fault{Operation: call.Operation, Kind: kind, Times: 1}
				t.Run(mode.session+" "+call.Operation+" "+string(kind), func(t *testing.T) {
					t.Parallel()
					faultOnce(t, mode, fault)
				})
			}
		}
	}
}

func faultOnce(t *testing.T, mode mode, fault clerkemu.Fault) {
	clerk := runClerk(t, mode.options)
	if err := clerk.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
	e := examine(t, clerk, "", append(mode.flags(clerk), "--yes")...)
	if e.code != 1 || len(e.with("FAIL")) == 0 {
		t.Errorf("%+v", e)
	}
	nothingLeft(t, clerk)

	ofSession := strings.Contains(strings.ToLower(fault.Operation), "session") || strings.Contains(fault.Operation, "SignIn")
	if !ofSession {
		return
	}
	// Once more, with a user that can't be deleted and so shows whether its sessions and tickets were ended.
	clerk = runClerk(t, mode.options)
	for _, f := range []clerkemu.Fault{fault, {Operation: "DeleteUser", Kind: clerkemu.FaultStatus}} {
		if err := clerk.InjectFault(f); err != nil {
			t.Fatal(err)
		}
	}
	e = examine(t, clerk, "", append(mode.flags(clerk), "--yes")...)
	users := clerk.Users()
	if len(users) != 1 || !strings.Contains(e.found["clean-up"], users[0].ID) || e.verdict["clean-up"] != "FAIL" {
		t.Fatalf("%d users, and %+v", len(users), e)
	}
	for _, session := range clerk.Sessions(users[0].ID) {
		if session.Status == "active" {
			t.Errorf("a session is active: %+v", e)
		}
	}
	for _, ticket := range clerk.SignInTokens(users[0].ID) {
		// Of a ticket whose creation was not answered nobody knows the id. It ends within a minute.
		lost := fault.Operation == "CreateSignInToken" && fault.Kind == clerkemu.FaultDropAfterEffect
		if ticket.Status == "pending" && (!lost || ticket.ExpireAt.Sub(ticket.CreatedAt) > time.Minute) {
			t.Errorf("a ticket is pending: %+v", e)
		}
	}
}

// TestDoctorDeletesNobodyElse has the creation of the user fail without a trace, where somebody has the address that was given.
func TestDoctorDeletesNobodyElse(t *testing.T) {
	clerk := runClerk(t)
	owner, err := clerk.SeedUser(clerkemu.UserSeed{EmailAddress: "owner@example.org", Password: "difference engine"})
	if err != nil {
		t.Fatal(err)
	}
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultDrop}); err != nil {
		t.Fatal(err)
	}
	e := examine(t, clerk, "", "--yes", "--email=owner@example.org")
	if users := clerk.Users(); len(users) != 1 || users[0].ID != owner.ID || called(clerk, "DeleteUser") > 0 {
		t.Errorf("the users are %v: %+v", users, e)
	}
	if e.verdict["reserved status"] != "FAIL" || e.verdict["clean-up"] != "ok" {
		t.Errorf("%+v", e)
	}
}

// TestDoctorCleansUpUnderARateLimit has Clerk refuse to delete the user for a while.
func TestDoctorCleansUpUnderARateLimit(t *testing.T) {
	clerk := runClerk(t)
	refusal := clerkemu.Fault{Operation: "DeleteUser", Kind: clerkemu.FaultStatus, Status: 429, RetryAfter: 2 * time.Second, Times: 1}
	if err := clerk.InjectFault(refusal); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if e := examine(t, clerk, "", "--yes"); e.verdict["clean-up"] != "FAIL" || time.Since(began) < refusal.RetryAfter {
		t.Errorf("after %s: %+v", time.Since(began), e)
	}
	nothingLeft(t, clerk)
}

// TestDoctorInterrupted presses Ctrl-C, or closes the terminal, while a call is under way. That call is not cut off.
func TestDoctorInterrupted(t *testing.T) {
	for operation, checks := range map[string]struct{ before, during string }{
		"CreateUser":                      {"clock", "reserved status"},
		"PrepareEmailAddressVerification": {"find by address", "send a code"},
		"createSession":                   {"wrong password", "session mode"},
		"DeleteUser":                      {"session mode", "clean-up"},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
			t.Run(operation+" "+signal.String(), func(t *testing.T) {
				t.Parallel()
				clerk := runClerk(t)
				if err := clerk.InjectFault(clerkemu.Fault{Operation: operation, Kind: clerkemu.FaultLatency, Latency: time.Second}); err != nil {
					t.Fatal(err)
				}
				e := interrupt(t, clerk, signal, func(stdout, _ string) bool { return strings.Contains(stdout, checks.before) }, "--yes")
				if e.code != 1 || len(e.with("FAIL")) > 0 || !strings.Contains(e.stderr, "interrupted") ||
					e.verdict[checks.during] != "ok" || e.verdict["clean-up"] != "ok" {
					t.Errorf("%+v", e)
				}
				nothingLeft(t, clerk)
			})
		}
	}
	t.Run("the question", func(t *testing.T) {
		clerk := runClerk(t)
		e := interrupt(t, clerk, syscall.SIGINT, func(_, stderr string) bool { return strings.Contains(stderr, "Go on?") })
		if e.code != 1 || !strings.Contains(e.stderr, "interrupted") || called(clerk, "CreateUser") > 0 {
			t.Errorf("%+v", e)
		}
	})
}

// interrupt runs `clerkql doctor`, and sends it a signal a moment after it has printed what it is to have printed.
func interrupt(t *testing.T, clerk *clerkemu.Server, signal syscall.Signal, due func(stdout, stderr string) bool, flags ...string) examination {
	t.Helper()
	var stdout, stderr logBuffer
	command := doctorCommand(clerk, flags...)
	command.Stdout, command.Stderr = &stdout, &stderr
	stdin, err := command.StdinPipe() // nothing is ever written to it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !due(stdout.String(), stderr.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it printed:\n%s%s", &stdout, &stderr)
		}
	}
	time.Sleep(200 * time.Millisecond) // far longer than a call takes to get to Clerk
	if err := command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // the exit code is looked at by the caller
	return read(t, clerk, command.ProcessState.ExitCode(), stdout.String(), stderr.String())
}

// TestDoctorUnread has nobody read the lines to their end, as in `clerkql doctor --yes | head -1`.
func TestDoctorUnread(t *testing.T) {
	clerk := runClerk(t)
	command := doctorCommand(clerk, "--yes")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := stdout.Close(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	if called(clerk, "CreateUser") != 1 {
		t.Error("no user was created")
	}
	nothingLeft(t, clerk)
}
