package ratelimit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

const pause = time.Second

// flaky is a shared store that fails when it is told to.
type flaky struct {
	ratelimit.Store
	away  atomic.Bool
	calls atomic.Int64
	// hold, if set, is called by each Take before it is answered.
	hold func()
}

var errAway = errors.New("away")

func (f *flaky) Take(ctx context.Context, charges []ratelimit.Charge) (ratelimit.Decision, error) {
	f.calls.Add(1)
	away := f.away.Load()
	if f.hold != nil {
		f.hold()
	}
	if away {
		return ratelimit.Decision{}, errAway
	}
	return f.Store.Take(ctx, charges)
}

// fallen is a Fallback over a flaky store, with its log.
type fallen struct {
	*ratelimit.Fallback
	shared *flaky
	clock  *clock
	log    *bytes.Buffer
}

func fallback(t *testing.T) fallen {
	t.Helper()
	f := fallen{clock: newClock(), log: &bytes.Buffer{}}
	f.shared = &flaky{Store: memory(t, 1000, f.clock)}
	f.Fallback = ratelimit.NewFallback(f.shared, memory(t, 1000, f.clock), sharedredis.NewOutage(pause, f.clock.Now, slog.New(slog.NewTextHandler(f.log, nil))))
	return f
}

func TestAnOutageGivesNoNewBudget(t *testing.T) {
	f := fallback(t)
	c := charge(perHour, "k")
	if n := given(t, f, c); n != 5 {
		t.Fatalf("gave %d", n)
	}
	f.shared.away.Store(true)
	if n := given(t, f, c); n != 0 {
		t.Errorf("the outage gave %d more", n)
	}
	f.clock.Advance(time.Hour / 5)
	if n := given(t, f, c); n != 1 {
		t.Errorf("gave %d after RetryAfter", n)
	}
}

// TestWhatTheSharedStoreRefusedIsNotChargedHere: another replica has spent one of the two budgets.
func TestWhatTheSharedStoreRefusedIsNotChargedHere(t *testing.T) {
	f := fallback(t)
	spentElsewhere, other := charge(perHour, "spent elsewhere"), charge(perHour, "other")
	given(t, f.shared.Store, spentElsewhere)
	if n := given(t, f, other, spentElsewhere); n != 0 {
		t.Fatalf("gave %d", n)
	}
	f.shared.away.Store(true)
	if n := given(t, f, other); n != 5 {
		t.Errorf("%d of 5 are left here", n)
	}
}

// TestEachBudgetIsChargedHere: the shared store has lost what was spent, and the local one has not.
func TestEachBudgetIsChargedHere(t *testing.T) {
	f := fallback(t)
	one, other := charge(perHour, "one"), charge(perHour, "other")
	given(t, f, one)
	f.shared.Store = memory(t, 1000, f.clock)
	if n := given(t, f, one, other); n != 5 {
		t.Fatalf("gave %d", n)
	}
	f.shared.away.Store(true)
	if n := given(t, f, other); n != 0 {
		t.Errorf("the outage gave %d more", n)
	}
}

func TestOneCallPerPauseTriesTheSharedStore(t *testing.T) {
	f := fallback(t)
	c := charge(per(1_000_000, time.Minute), "k")
	f.shared.away.Store(true)
	for range 100 { // 10 seconds
		for range 10 {
			take(t, f, c)
		}
		f.clock.Advance(pause / 10)
	}
	if calls := f.shared.calls.Load(); calls != 10 {
		t.Errorf("%d calls in 10 pauses", calls)
	}
	if got, want := f.Stats(), (sharedredis.Stats{Local: true, Outages: 1, Calls: 1000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The others do not wait for the one that tries.
	f.shared.hold = func() {
		f.shared.hold = nil
		if d := take(t, f, c); !d.OK {
			t.Errorf("another call: %+v", d)
		}
	}
	f.shared.away.Store(false)
	take(t, f, c)
	if got, want := f.Stats(), (sharedredis.Stats{Outages: 1, Calls: 1001}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	take(t, f, c)
	if calls := f.shared.calls.Load(); calls != 12 {
		t.Errorf("%d calls", calls)
	}
}

func TestEachChangeIsLoggedOnce(t *testing.T) {
	f := fallback(t)
	c := charge(per(1_000_000, time.Minute), "some key")
	for range 3 {
		for _, away := range []bool{true, false} {
			f.shared.away.Store(away)
			for range 50 {
				take(t, f, c)
				f.clock.Advance(pause / 10)
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
	if len(lines) != 6 || f.Stats().Outages != 3 {
		t.Errorf("%d lines, %+v:\n%s", len(lines), f.Stats(), f.log)
	}
	for i, line := range lines {
		if want := []string{"level=WARN msg=\"redis is away: rate limits are local, as is all else that replicas share\" error=away", "level=INFO msg=\"redis is back: rate limits are shared again, as is all else\" outage=5s outages_so_far="}[i%2]; !strings.Contains(line, want) {
			t.Errorf("%s\nwant %s", line, want)
		}
		if strings.Contains(line, "some key") {
			t.Errorf("a key in the log: %s", line)
		}
	}
}

// TestLateAnswersEndNoOutage: a call that was begun before the outage is answered in it.
func TestLateAnswersEndNoOutage(t *testing.T) {
	f := fallback(t)
	c := charge(per(1_000_000, time.Minute), "k")
	f.shared.hold = func() {
		f.shared.hold = nil
		f.shared.away.Store(true)
		take(t, f, c)
	}
	take(t, f, c)
	if stats := f.Stats(); !stats.Local || strings.Contains(f.log.String(), "again") {
		t.Errorf("%+v\n%s", stats, f.log)
	}
}

func TestInvalidChargesAreNoOutage(t *testing.T) {
	f := fallback(t)
	if _, err := f.Take(t.Context(), []ratelimit.Charge{{}}); err == nil || f.Stats().Local || f.shared.calls.Load() != 0 {
		t.Errorf("%v, %+v", err, f.Stats())
	}
}

// TestRedisIsKilledAndRestarted, with nothing left in it, while callers take as fast as they can.
func TestRedisIsKilledAndRestarted(t *testing.T) {
	server := redistest.Start(t)
	local, err := ratelimit.NewMemory(1000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f := ratelimit.NewFallback(connect(t, server, 100*time.Millisecond), local, sharedredis.NewOutage(pause, time.Now, slog.New(slog.DiscardHandler)))

	const count, interval = 40, 25 * time.Millisecond
	charges := []ratelimit.Charge{charge(per(count, count*interval), "k"), charge(per(1_000_000, time.Minute), "other")}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		grants []time.Time
		slow   time.Duration
		stop   = make(chan struct{})
		begin  = time.Now()
	)
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				called := time.Now()
				d, err := f.Take(context.Background(), charges)
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				if d.OK {
					grants = append(grants, time.Now())
				}
				slow = max(slow, time.Since(called))
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(1500 * time.Millisecond)
	killed, restarted, recovered := outage(t, f, server)
	time.Sleep(time.Second)
	close(stop)
	wg.Wait()
	end := time.Now()

	between := func(from, to time.Time) (n int) {
		for _, at := range grants {
			if !at.Before(from) && at.Before(to) {
				n++
			}
		}
		return n
	}
	refilled := func(d time.Duration) int { return int(d/interval) + 1 }
	t.Logf("gave %d in %v; %d in the outage of %v; recovered %v after the restart; the slowest call took %v; %+v",
		len(grants), end.Sub(begin), between(killed, recovered), recovered.Sub(killed), recovered.Sub(restarted), slow, f.Stats())
	// Of the outage, nobody gets more than what was refilled in it. Calls that were under way at its begin and its end are off by a few.
	if n, most := between(killed, recovered), refilled(recovered.Sub(killed))+8; n > most {
		t.Errorf("gave %d in the outage, want at most %d", n, most)
	}
	// In all, there is the budget, once more for each outage, as the new Redis knows nothing, and what was refilled. On a machine that is so busy
	// that Redis does not answer in time, there are more outages than one.
	if n, most := len(grants), int(1+f.Stats().Outages)*count+refilled(end.Sub(begin))+8; n > most {
		t.Errorf("gave %d, want at most %d", n, most)
	}
	if n, least := between(killed, recovered), refilled(recovered.Sub(killed))/2; n < least {
		t.Errorf("gave %d in the outage, want at least %d", n, least)
	}
	if stats := f.Stats(); stats.Local || recovered.Sub(restarted) > 4*time.Second || slow > 2*time.Second {
		t.Errorf("recovered after %v, slowest call %v, %+v", recovered.Sub(restarted), slow, stats)
	}
}

// TestRedisHangs: it accepts connections, and answers nothing.
func TestRedisHangs(t *testing.T) {
	server := redistest.Start(t)
	local, err := ratelimit.NewMemory(1000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f := ratelimit.NewFallback(connect(t, server, 100*time.Millisecond), local, sharedredis.NewOutage(pause, time.Now, slog.New(slog.DiscardHandler)))
	c := charge(per(100, time.Hour), "k")
	take(t, f, c)
	server.Hang()
	var wg sync.WaitGroup
	var oks atomic.Int64
	begin := time.Now()
	for range 50 {
		wg.Go(func() {
			for range 4 {
				if d, err := f.Take(t.Context(), []ratelimit.Charge{c}); err == nil && d.OK {
					oks.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("50 callers of 4 Takes took %v", took)
	}
	if oks.Load() != 99 {
		t.Errorf("gave %d of the 99 that were left", oks.Load())
	}
	server.GoOn()
	for begin := time.Now(); f.Stats().Local; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("still local, 10 seconds after Redis goes on")
		}
		take(t, f, c)
	}
}
