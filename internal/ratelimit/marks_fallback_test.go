package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

type flakyMarks struct {
	ratelimit.Marks
	away  *atomic.Bool
	calls atomic.Int64
}

func (f *flakyMarks) Mark(ctx context.Context, key string) error {
	f.calls.Add(1)
	if f.away.Load() {
		return errAway
	}
	return f.Marks.Mark(ctx, key)
}

func (f *flakyMarks) Marked(ctx context.Context, key string) (bool, error) {
	f.calls.Add(1)
	if f.away.Load() {
		return false, errAway
	}
	return f.Marks.Marked(ctx, key)
}

// fallbackMarks returns a Fallback over a flaky store, and marks that are as flaky.
func fallbackMarks(t *testing.T) (f fallen, m *ratelimit.FallbackMarks, shared *flakyMarks) {
	t.Helper()
	f = fallback(t)
	shared = &flakyMarks{Marks: memoryMarks(t, 1000, f.clock), away: &f.shared.away}
	return f, f.Marks(shared, memoryMarks(t, 1000, f.clock)), shared
}

func TestMarksAreKeptInBothPlaces(t *testing.T) {
	f, m, shared := fallbackMarks(t)
	mark(t, m, "here")
	mark(t, shared, "by another replica")
	if !marked(t, shared, "here") || !marked(t, m, "by another replica") {
		t.Error("replicas do not share marks")
	}
	f.shared.away.Store(true)
	if !marked(t, m, "here") || marked(t, m, "by another replica") {
		t.Error("in an outage, what was marked here is known here, and no more")
	}
	mark(t, m, "in the outage")
	if !marked(t, m, "in the outage") {
		t.Error("not marked in an outage")
	}
	f.shared.away.Store(false)
	f.clock.Advance(pause)
	take(t, f, charge(perHour, "k"))
	if f.Stats().Local {
		t.Fatal("still local")
	}
	shared.Marks = memoryMarks(t, 1000, f.clock) // it has come back without what it had
	if !marked(t, m, "here") || !marked(t, m, "in the outage") || marked(t, m, "by another replica") {
		t.Error("after an outage, what was marked here is known here, and no more")
	}
	mark(t, m, "in the outage")
	if !marked(t, shared, "in the outage") {
		t.Error("not shared when marked again")
	}
}

// TestAnOutageIsOneForAll: whichever call notices it, the others do not wait for the shared store, and whichever writes ends it.
func TestAnOutageIsOneForAll(t *testing.T) {
	c := charge(perHour, "k")
	type calls map[string]func(f fallen, m ratelimit.Marks)
	writes := calls{
		"Take": func(f fallen, _ ratelimit.Marks) { take(t, f, c) },
		"Mark": func(_ fallen, m ratelimit.Marks) { mark(t, m, "k") },
	}
	all := calls{"Take": writes["Take"], "Mark": writes["Mark"], "Marked": func(_ fallen, m ratelimit.Marks) { marked(t, m, "k") }}
	for begins, begin := range all {
		for ends, end := range writes {
			t.Run(begins+" begins it and "+ends+" ends it", func(t *testing.T) {
				f, m, shared := fallbackMarks(t)
				asked := func() int64 { return f.shared.calls.Load() + shared.calls.Load() }
				f.shared.away.Store(true)
				begin(f, m)
				f.clock.Advance(pause - 1)
				for _, call := range all {
					call(f, m)
				}
				if n := asked(); n != 1 {
					t.Errorf("%d calls waited", n)
				}
				if got, want := f.Stats(), (sharedredis.Stats{Local: true, Outages: 1, Calls: 4}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
				f.clock.Advance(1)
				f.shared.away.Store(false)
				marked(t, m, "k")
				if n := asked(); n != 1 || !f.Stats().Local {
					t.Errorf("what reads tried if the outage is over: %d calls", n)
				}
				end(f, m)
				if got, want := f.Stats(), (sharedredis.Stats{Outages: 1, Calls: 5}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
				before := asked()
				for _, call := range all {
					call(f, m)
				}
				if n := asked() - before; n != 3 {
					t.Errorf("%d of 3 calls are shared again", n)
				}
			})
		}
	}
}

func TestInvalidKeysAreNoOutage(t *testing.T) {
	f, m, shared := fallbackMarks(t)
	if err := m.Mark(t.Context(), ""); err == nil {
		t.Error("marked")
	}
	if _, err := m.Marked(t.Context(), ""); err == nil {
		t.Error("asked")
	}
	if f.Stats() != (sharedredis.Stats{}) || shared.calls.Load() != 0 {
		t.Errorf("%+v", f.Stats())
	}
}

// TestAFullRedisIsOneOutage: it answers what reads, and nothing that writes. If the first ended an outage, a new one would begin at each Take.
func TestAFullRedisIsOneOutage(t *testing.T) {
	r, c := connect(t, redistest.Start(t), 10*time.Second), newClock()
	f := ratelimit.NewFallback(r, memory(t, 1000, c), sharedredis.NewOutage(pause, c.Now, slog.New(slog.DiscardHandler)))
	m := f.Marks(r.Marks(life), memoryMarks(t, 1000, c))
	signIn := func(key string) {
		marked(t, m, key)
		take(t, f, charge(perHour, "%s", key))
		mark(t, m, key)
	}
	room := func(bytes string) {
		if err := r.Client().ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	signIn("before")
	room("1")
	for i := range 10 {
		signIn(fmt.Sprint(i))
		c.Advance(pause)
	}
	if stats := f.Stats(); !stats.Local || stats.Outages != 1 {
		t.Errorf("%+v", stats)
	}
	room("0")
	signIn("after")
	if stats := f.Stats(); stats.Local || stats.Outages != 1 {
		t.Errorf("%+v", stats)
	}
}

// TestMarksOutliveRedis has Redis killed, and restarted with nothing in it, while callers sign in as fast as they can.
func TestMarksOutliveRedis(t *testing.T) {
	server := redistest.Start(t)
	store, err := ratelimit.NewMemory(1000, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	local, err := ratelimit.NewMemoryMarks(1000, life, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := connect(t, server, 100*time.Millisecond)
	f := ratelimit.NewFallback(r, store, sharedredis.NewOutage(pause, time.Now, slog.New(slog.DiscardHandler)))
	m := f.Marks(r.Marks(life), local)
	mark(t, m, "before")

	var (
		wg                sync.WaitGroup
		stop              = make(chan struct{})
		charges           = []ratelimit.Charge{charge(per(1_000_000, time.Minute), "k")}
		n, failed, forgot atomic.Int64
	)
	for caller := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d", caller, i%50)
				before, err1 := m.Marked(context.Background(), "before")
				_, err2 := f.Take(context.Background(), charges)
				err3 := m.Mark(context.Background(), key)
				now, err4 := m.Marked(context.Background(), key)
				if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
					failed.Add(1)
				}
				if !before || !now {
					forgot.Add(1)
				}
				n.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	_, restarted, shared := outage(t, f, server)
	recovered := shared.Sub(restarted)
	time.Sleep(500 * time.Millisecond)
	close(stop)
	wg.Wait()
	t.Logf("%d sign-ins; recovered %v after the restart; %+v", n.Load(), recovered, f.Stats())
	if failed.Load() > 0 || forgot.Load() > 0 {
		t.Errorf("of %d sign-ins, %d failed, and %d found that they were forgotten", n.Load(), failed.Load(), forgot.Load())
	}
	if told := connect(t, server, 10*time.Second).Client().Keys(t.Context(), "clerkql:mark:*").Val(); len(told) == 0 {
		t.Error("the new Redis was told nothing")
	}
	if recovered > 4*time.Second {
		t.Errorf("recovered after %v", recovered)
	}
}

// TestMarksWhileRedisHangs: it accepts connections, and answers nothing. 50 callers wait for it once, and then no more than one per pause.
func TestMarksWhileRedisHangs(t *testing.T) {
	server, c := redistest.Start(t), newClock()
	r := connect(t, server, 100*time.Millisecond)
	f := ratelimit.NewFallback(r, memory(t, 1000, c), sharedredis.NewOutage(pause, c.Now, slog.New(slog.DiscardHandler)))
	m := f.Marks(r.Marks(life), memoryMarks(t, 1000, c))
	mark(t, m, "k")
	server.Hang()
	var wg sync.WaitGroup
	begin := time.Now()
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if err := m.Mark(t.Context(), "k"); err != nil {
					t.Error(err)
				}
				if is, err := m.Marked(t.Context(), "k"); err != nil || !is {
					t.Errorf("%v, %v", is, err)
				}
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("50 callers of 40 calls took %v", took)
	}
}

// BenchmarkMarks has keys that are new and keys that are known.
