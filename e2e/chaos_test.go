package e2e

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
)

const (
	// chaosClerkTimeout and chaosTimeout are the server's CLERK_TIMEOUT and MUTATION_TIMEOUT.
	chaosClerkTimeout = 700 * time.Millisecond
	chaosTimeout      = 3 * time.Second
	// chaosMargin is what an answer may take beyond that, on a machine that has much else to do.
	chaosMargin = 2 * time.Second
	// chaosPause is a little longer than the server calls nothing after a 429 that does not say for how long.
	chaosPause = 1100 * time.Millisecond
	// chaosHeld is how long Clerk holds a call back while its client hangs up.
	chaosHeld = 200 * time.Millisecond
	// chaosAtOnce is how many flows are tried at the same time: what takes long is to wait for a slow Clerk.
	chaosAtOnce = 24
	// chaosLeast is how many rows the matrix has at the very least.
	chaosLeast = 2200
)

// chaosFault is a way for a call to fail.
type chaosFault struct {
	name  string
	fault clerkemu.Fault
	// effect: the call is carried out all the same.
	effect bool
	// once: that it lasts makes no difference, as no call is repeated that failed like this; or it is not what this is about.
	once bool
	want string // what the request is answered, unless as if nothing had failed
}

func chaosFaults() []chaosFault {
	const unavailable = "ServiceUnavailable"
	status := func(status int, code string, retryAfter time.Duration) clerkemu.Fault {
		return clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: status, Code: code, RetryAfter: retryAfter}
	}
	return []chaosFault{
		{name: "lost before its effect", fault: clerkemu.Fault{Kind: clerkemu.FaultDrop}, want: unavailable},
		{name: "lost after its effect", fault: clerkemu.Fault{Kind: clerkemu.FaultDropAfterEffect}, effect: true, want: unavailable},
		{name: "too slow", fault: clerkemu.Fault{Kind: clerkemu.FaultLatency, Latency: chaosClerkTimeout + 10*time.Second}, want: unavailable},
		{name: "cut short", fault: clerkemu.Fault{Kind: clerkemu.FaultTruncate}, effect: true, want: unavailable},
		{name: "429", fault: status(429, "", 0), once: true, want: "RateLimited"},
		{name: "429 for a second", fault: status(429, "", time.Second), once: true, want: "RateLimited"},
		{name: "500", fault: status(500, "", 0), want: unavailable},
		{name: "503 for seven seconds", fault: status(503, "service_unavailable", 7*time.Second), once: true, want: unavailable},
		{name: "a gateway's page", fault: clerkemu.Fault{Kind: clerkemu.FaultGarbage}, want: unavailable},
	}
}

// hungUp is the name of what is no fault of Clerk's: the client goes away while the call is under way.
const hungUp = "the client hangs up"

// TestChaos breaks every call that every flow makes, in every way, once and until the user tries again, in every session mode; and has the
// client hang up at each. The answer must be one that the schema has for that, in time, and the user who goes by the schema must come to the
// right end. Which calls a flow makes is seen, not known: so what is added to a flow is broken, too.
func TestChaos(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	flows := chaosFlows()
	matrix := &chaosMatrix{}
	everything := 0
	var all sync.WaitGroup
	room := make(chan struct{}, chaosAtOnce)
	for _, flow := range flows {
		for _, session := range flow.modes {
			everything++
			room <- struct{}{}
			all.Go(func() {
				defer func() { <-room }()
				t.Run(flow.name+", "+session+" mode", func(t *testing.T) {
					matrix.began()
					newChaosRun(t, matrix, flow, session, key).all(t)
				})
			})
		}
	}
	all.Wait()
	fmt.Fprint(os.Stdout, matrix)
	if matrix.runs < everything || strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only some were asked for
	}
	if len(matrix.rows) < chaosLeast {
		t.Errorf("%d rows are less than there must be, %d", len(matrix.rows), chaosLeast)
	}
	for _, field := range contract.schema.Mutation.Fields {
		if !matrix.requests[field.Name] {
			t.Errorf("%s is in no flow", field.Name)
		}
	}
}

// chaosRun is one flow in one session mode, with a server and a Clerk of its own.
type chaosRun struct {
	matrix *chaosMatrix
	flow   chaosFlow
	mode   mode
	clerk  *clerkemu.Server
	a      *api
	people int
}

func newChaosRun(t *testing.T, matrix *chaosMatrix, flow chaosFlow, session string, key *rsa.PrivateKey) *chaosRun {
	t.Helper()
	i := slices.IndexFunc(modes(), func(m mode) bool { return m.session == session && !m.production })
	r := &chaosRun{matrix: matrix, flow: flow, mode: modes()[i]}
	r.clerk = clerkemu.RunT(t, r.mode.options, func(o *clerkemu.Options) {
		o.SigningKey, o.ResendInterval = key, 30*time.Second
	})
	r.a = r.start(t)
	return r
}

func (r *chaosRun) start(t *testing.T) *api {
	t.Helper()
	return startAPI(t, r.clerk, append(append(r.mode.flags(r.clerk),
		"--clerk-timeout="+chaosClerkTimeout.String(), "--mutation-timeout="+chaosTimeout.String()), r.flow.flags...)...)
}

// person returns somebody who is about to send the flow's request, and whose account is like nobody else's.
func (r *chaosRun) person(t *testing.T) *person {
	t.Helper()
	if r.flow.alone {
		r.a = r.start(t)
	}
	r.people++
	p := &person{
		TB: t, a: r.a, clerk: r.clerk, mode: r.mode,
		strict: r.flow.strict,
		email:  fmt.Sprintf("person-%d@example.com", r.people), password: password,
		backupCodes: []string{"aaaabbbb", "ccccdddd", "eeeeffff"}, strategy: "TOTP",
		sessions: map[string]string{},
	}
	p.passwords = []string{p.password}
	r.flow.begin(p)
	if t.Failed() {
		t.FailNow()
	}
	p.goals = append([]string{r.mode.success}, r.flow.ended...)
	if sessionFlow := len(p.sessions) > 0 && p.next.input["newPassword"] == nil && p.next.name != "requestPasswordReset"; sessionFlow {
		p.goals = append(p.goals, r.flow.answer)
	}
	p.mails, p.failures, p.mailedBefore = 0, 0, len(r.clerk.Mail(p.email))
	for _, fault := range r.flow.standing {
		inject(t, r.clerk, fault)
	}
	t.Cleanup(r.clerk.ClearFaults)
	r.clerk.ResetCalls()
	return p
}

// answer is what the flow's request is answered when all is well.
func (r *chaosRun) answer() string { return cmp.Or(r.flow.answer, r.mode.success) }

// chaosCall is a call of a flow: the nth of its operation.
type chaosCall struct {
	operation string
	n         int // from 1
}

func (c chaosCall) String() string { return fmt.Sprintf("%s %d", c.operation, c.n) }

// all tries the flow without a fault, and then every row that this shows.
func (r *chaosRun) all(t *testing.T) {
	t.Helper()
	var calls []chaosCall
	if !t.Run("nothing fails", func(t *testing.T) { calls = r.calls(t) }) {
		return
	}
	for _, call := range calls {
		for _, fault := range chaosFaults() {
			t.Run(call.String()+": "+fault.name, func(t *testing.T) {
				r.broken(t, r.matrix.row(t, call, fault.name), call, fault, 1)
			})
			if lasting := fault.name + " until the user tries again"; !fault.once {
				t.Run(call.String()+": "+lasting, func(t *testing.T) {
					r.broken(t, r.matrix.row(t, call, lasting), call, fault, 0)
				})
			}
		}
		t.Run(call.String()+": "+hungUp, func(t *testing.T) { r.hungUp(t, r.matrix.row(t, call, hungUp), call, calls) })
	}
}

// calls returns the calls that the flow's request makes when all is well, but for those that fail anyhow.
func (r *chaosRun) calls(t *testing.T) []chaosCall {
	t.Helper()
	p := r.person(t)
	name := p.next.name
	r.matrix.has(name)
	answered, err := p.ask(t.Context(), "")
	if err != nil || answered.typename() != r.answer() {
		t.Fatalf("%s answered %v, %v, want %s", name, answered, err, r.answer())
	}
	r.clerk.ClearFaults()
	calls := chaosCalls(r.clerk.Calls())
	if len(calls) == 0 {
		t.Fatalf("%s makes no calls", name)
	}
	if !p.takes(answered) {
		p.goOn()
	}
	r.settled(p, 0, 1)
	return slices.DeleteFunc(calls, func(c chaosCall) bool {
		return slices.ContainsFunc(r.flow.standing, func(f clerkemu.Fault) bool {
			return f.Operation == c.operation && f.Skip < c.n && (f.Times == 0 || c.n <= f.Skip+f.Times)
		})
	})
}

// chaosCalls names calls by their operation and how many of that there were before. Those that are made at the same time are in no order.
func chaosCalls(made []clerkemu.Call) []chaosCall {
	var calls []chaosCall
	count := map[string]int{}
	for _, call := range made {
		count[call.Operation]++
		calls = append(calls, chaosCall{call.Operation, count[call.Operation]})
	}
	return calls
}

// fault returns the fault that a call meets, of the calls that no standing fault is for.
func (r *chaosRun) fault(call chaosCall, fault clerkemu.Fault, times int) clerkemu.Fault {
	fault.Operation, fault.Skip, fault.Times = call.operation, call.n-1, times
	for _, standing := range r.flow.standing {
		if standing.Operation == call.operation && standing.Skip < call.n {
			fault.Skip--
		}
	}
	return fault
}
