package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/internal/redistest"
)

const (
	// clerkLimit is how many calls the embedded Clerk serves in 10 seconds, as fast as real ones count.
	clerkLimit = 500
	// overload is how many times as many are asked for.
	overload = 10
	// maxRefusal is how long it may take to say no, but to one in a thousand: the machine is busy.
	maxRefusal = slowness * 250 * time.Millisecond
	// overloadTime is how long there is too much to do.
	overloadTime = time.Minute
)

// TestOverload has two replicas asked for ten times as many calls as Clerk allows: a third of it sign-ins, the rest sign-ups and resets. Sign-ins
// get nearly all that Clerk allows, the rest is refused at once, Clerk never has to say that it was too much, and afterwards all is as before.
func TestOverload(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.RateLimit = clerkLimit })
	redis := redistest.Start(t)
	seed(t, clerk, ada())
	replicas := make([]*api, 2)
	for i := range replicas {
		replicas[i] = limited(t, clerk, "--redis-url=redis://"+redis.Address, fmt.Sprintf("--clerk-rate-limit=%d/10s", clerkLimit))
	}
	flood := &flood{t: t, replicas: replicas}
	signIn := map[string]any{"email": email, "password": password}
	kinds := []*floodKind{
		{mutation: "signIn", calls: 4, succeeds: "SessionCreated", input: func(int) map[string]any { return signIn }},
		{mutation: "signUp", calls: 2, succeeds: "VerificationRequired", input: func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("new%d@example.com", i), "password": password}
		}},
		{mutation: "requestPasswordReset", calls: 2, succeeds: "PasswordResetSent", input: func(i int) map[string]any {
			return map[string]any{"email": fmt.Sprintf("absent%d@example.com", i)}
		}},
	}
	memory := make([]int, 2)
	began := time.Now()
	for _, kind := range kinds {
		kind.every = time.Duration(kind.calls*len(kinds)) * 10 * time.Second / (overload * clerkLimit)
		flood.run(kind, began.Add(overloadTime))
	}
	time.Sleep(overloadTime / 3)
	memory[0] = residentMemory(t, replicas)
	flood.wait()
	took := time.Since(began)
	memory[1] = residentMemory(t, replicas)

	byStatus := map[int]int{}
	for _, call := range clerk.Calls() {
		byStatus[call.Status]++
	}
	allowed := clerkLimit * took.Seconds() / 10
	for _, kind := range kinds {
		slices.Sort(kind.refusals)
		t.Logf("%-20s %5d asked, %5d done, %5d refused: half in %v, 99.9 %% in %v, all in %v", kind.mutation, kind.asked, kind.done, len(kind.refusals),
			quantile(kind.refusals, 0.5), quantile(kind.refusals, 0.999), quantile(kind.refusals, 1))
		if slow := quantile(kind.refusals, 0.999); slow > maxRefusal {
			t.Errorf("%s: it took %v to say no", kind.mutation, slow)
		}
		if kind.others > 0 {
			t.Errorf("%s: %d were neither done nor refused", kind.mutation, kind.others)
		}
	}
	t.Logf("in %v Clerk allows %.0f calls, and was called %d times, of which %d were too many; sign-ins took %d", took.Round(time.Millisecond), allowed,
		len(clerk.Calls()), byStatus[http.StatusTooManyRequests], 4*kinds[0].done)
	t.Logf("memory of both replicas: %d MB after a third of the time, %d MB at the end", memory[0]>>20, memory[1]>>20)
	if share := float64(4*kinds[0].done) / allowed; share < 0.8 {
		t.Errorf("sign-ins got %.2f of what Clerk allows, want 0.8", share)
	}
	// A call is counted when its mutation begins, and made later: on a busy machine so much later that Clerk counts it with others.
	refused, most := byStatus[http.StatusTooManyRequests], len(clerk.Calls())/200
	if refused > most {
		t.Errorf("Clerk refused %d calls, want at most %d", refused, most)
	}
	if made, needed := len(clerk.Calls()), 4*kinds[0].done+2*kinds[1].done+kinds[2].done; made > needed+refused {
		t.Errorf("%d calls were made for what took %d", made, needed)
	}
	if grown := memory[1] - memory[0]; grown > 40<<20 {
		t.Errorf("the memory grew by %d MB", grown>>20)
	}
	flood.recovers(kinds)
}

// floodKind is a mutation that is asked for at even times, whatever became of those before.
type floodKind struct {
	mutation, succeeds string
	calls              int // that it makes
	every              time.Duration
	input              func(int) map[string]any

	mu                  sync.Mutex
	asked, done, others int
	refusals            []time.Duration // how long each took
}

type flood struct {
	t        *testing.T
	replicas []*api
	all      sync.WaitGroup
}

// run asks for a mutation at even times until an end.
func (f *flood) run(kind *floodKind, end time.Time) {
	f.all.Go(func() {
		ticks := time.NewTicker(kind.every)
		defer ticks.Stop()
		for i := 0; time.Now().Before(end); i++ {
			<-ticks.C
			f.all.Go(func() { f.ask(kind, i) })
		}
	})
}

func (f *flood) wait() { f.all.Wait() }

func (f *flood) ask(kind *floodKind, i int) string {
	header := http.Header{"X-Forwarded-For": {fmt.Sprintf("198.18.%d.%d", i>>8&0xff, i&0xff)}}
	began := time.Now()
	result, err := f.replicas[i%len(f.replicas)].ask(f.t.Context(), header, kind.mutation, kind.input(i))
	took := time.Since(began)
	kind.mu.Lock()
	defer kind.mu.Unlock()
	kind.asked++
	switch {
	case err != nil:
		f.t.Errorf("%s: %v", kind.mutation, err)
	case result.typename() == kind.succeeds:
		kind.done++
	case result.typename() == "ServiceUnavailable":
		kind.refusals = append(kind.refusals, took)
	default:
		kind.others++
	}
	return result.typename()
}

// recovers fails the test unless all that was refused is done within two seconds.
func (f *flood) recovers(kinds []*floodKind) {
	f.t.Helper()
	ended := time.Now()
	for i, kind := range kinds {
		for n := 100_000 + i; f.ask(kind, n) != kind.succeeds; n++ {
			if time.Since(ended) > 2*time.Second {
				f.t.Errorf("%s is refused two seconds after the overload", kind.mutation)
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	f.t.Logf("%v after the overload, everything is done again", time.Since(ended).Round(time.Millisecond))
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))].Round(100 * time.Microsecond)
}

// residentMemory returns how many bytes all replicas take.
func residentMemory(t *testing.T, replicas []*api) int {
	t.Helper()
	sum := 0
	for _, replica := range replicas {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", replica.process.Process.Pid))
		if err != nil {
			t.Skipf("SKIPPED: this system does not tell the memory of a process: %v", err)
		}
		for line := range strings.Lines(string(status)) {
			if size, found := strings.CutPrefix(line, "VmRSS:"); found {
				kilobytes, err := strconv.Atoi(strings.Fields(size)[0])
				if err != nil {
					t.Fatal(err)
				}
				sum += kilobytes << 10
			}
		}
	}
	return sum
}
