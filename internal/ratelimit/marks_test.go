package ratelimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
)

const (
	// life is how long marks last in these tests.
	life = 30 * 24 * time.Hour
	// bytesPerMark is what the documentation of MemoryMarks says.
	bytesPerMark = 240
)

func memoryMarks(t testing.TB, keys int, c *clock) *ratelimit.MemoryMarks {
	t.Helper()
	m, err := ratelimit.NewMemoryMarks(keys, life, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mark(t testing.TB, m ratelimit.Marks, key string) {
	t.Helper()
	if err := m.Mark(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func marked(t testing.TB, m ratelimit.Marks, key string) bool {
	t.Helper()
	is, err := m.Marked(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// pass takes time off what is left of all keys in a Redis, as if it had passed there.
func pass(t testing.TB, r *ratelimit.Redis, d time.Duration) {
	t.Helper()
	for _, key := range r.Client().Keys(t.Context(), "*").Val() {
		left := r.Client().PTTL(t.Context(), key).Val()
		if left <= 0 {
			t.Fatalf("%s does not expire", key)
		}
		if err := r.Client().PExpire(t.Context(), key, left-d).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// eachMarks runs a test on all Marks. Redis's clock goes on while they run, so none of them can be exact to more than a minute.
func eachMarks(t *testing.T, test func(t *testing.T, m ratelimit.Marks, advance func(time.Duration))) {
	t.Run("memory", func(t *testing.T) {
		c := newClock()
		test(t, memoryMarks(t, 10_000, c), c.Advance)
	})
	t.Run("redis", func(t *testing.T) {
		r := connect(t, redistest.Start(t), 10*time.Second)
		test(t, r.Marks(life), func(d time.Duration) { pass(t, r, d) })
	})
	t.Run("fallback", func(t *testing.T) {
		r, c := connect(t, redistest.Start(t), 10*time.Second), newClock()
		f := ratelimit.NewFallback(r, memory(t, 10_000, c), pause, c.Now, slog.New(slog.DiscardHandler))
		test(t, f.Marks(r.Marks(life), memoryMarks(t, 10_000, c)), func(d time.Duration) {
			c.Advance(d)
			pass(t, r, d)
		})
		if stats := f.Stats(); stats != (ratelimit.FallbackStats{}) {
			t.Errorf("fell back: %+v", stats)
		}
	})
}

func TestAMarkLastsForItsLife(t *testing.T) {
	eachMarks(t, func(t *testing.T, m ratelimit.Marks, advance func(time.Duration)) {
		if marked(t, m, "a") {
			t.Fatal("marked before it was")
		}
		mark(t, m, "a")
		if !marked(t, m, "a") || marked(t, m, "b") {
			t.Error("a is marked, and b is not")
		}
		advance(life - time.Minute)
		mark(t, m, "b")
		if !marked(t, m, "a") {
			t.Error("forgotten within its life, although somebody asked for it lately")
		}
		advance(2 * time.Minute)
		if marked(t, m, "a") || !marked(t, m, "b") {
			t.Error("a is over, although somebody asked for it, and b is not")
		}
	})
}

func TestMarkingAgainBeginsANewLife(t *testing.T) {
	eachMarks(t, func(t *testing.T, m ratelimit.Marks, advance func(time.Duration)) {
		for range 3 {
			mark(t, m, "k")
			advance(life - time.Minute)
			if !marked(t, m, "k") {
				t.Fatal("forgotten within its life")
			}
		}
		advance(2 * time.Minute)
		if marked(t, m, "k") {
			t.Error("remembered after its life")
		}
		mark(t, m, "k")
		if !marked(t, m, "k") {
			t.Error("not marked again after its life")
		}
	})
}

func TestKeysOfMarksAreChecked(t *testing.T) {
	eachMarks(t, func(t *testing.T, m ratelimit.Marks, _ func(time.Duration)) {
		for _, key := range []string{"", strings.Repeat("k", 65)} {
			if err := m.Mark(t.Context(), key); err == nil {
				t.Errorf("%d bytes were marked", len(key))
			}
			if is, err := m.Marked(t.Context(), key); err == nil || is {
				t.Errorf("%d bytes: %v, %v", len(key), is, err)
			}
		}
		longest := strings.Repeat("\x00", 64)
		mark(t, m, longest)
		if !marked(t, m, longest) || marked(t, m, longest[:63]) {
			t.Error("the longest key is marked, and no other")
		}
	})
}

// TestMarksUnderConcurrency is for the race detector, too.
func TestMarksUnderConcurrency(t *testing.T) {
	eachMarks(t, func(t *testing.T, m ratelimit.Marks, _ func(time.Duration)) {
		var wg sync.WaitGroup
		for caller := range 20 {
			wg.Go(func() {
				for i := range 50 {
					key := fmt.Sprintf("%d-%d", caller%10, i)
					if err := m.Mark(t.Context(), key); err != nil {
						t.Error(err)
					}
					if is, err := m.Marked(t.Context(), key); err != nil || !is {
						t.Errorf("%s: %v, %v", key, is, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestMemoryOfMarksIsBounded marks 10 times as many of the longest keys as there is room for, so that Go's map has grown as far as it does.
func TestMemoryOfMarksIsBounded(t *testing.T) {
	const room = 50_000
	c := newClock()
	before := heapInUse()
	m := memoryMarks(t, room, c)
	most := 0
	for i := range 10 * room {
		mark(t, m, fmt.Sprintf("%064d", i))
		if m.Len() > room {
			t.Fatalf("%d keys after %d, with room for %d", m.Len(), i+1, room)
		}
		if (i+1)%room == 0 {
			most = max(most, heapInUse()-before)
		}
	}
	t.Logf("%d keys, at most %d bytes each", m.Len(), most/room)
	if most > room*bytesPerMark {
		t.Errorf("%d keys took %d bytes, %d each", room, most, most/room)
	}
	runtime.KeepAlive(m)
}

func TestRoomForNoMark(t *testing.T) {
	if _, err := ratelimit.NewMemoryMarks(0, life, time.Now); err == nil {
		t.Error("room for no key was accepted")
	}
}

func TestWhatWasUsedTheLongestAgoIsForgottenFirst(t *testing.T) {
	m := memoryMarks(t, 3, newClock())
	mark(t, m, "asked for")
	mark(t, m, "marked again")
	mark(t, m, "left alone")
	marked(t, m, "asked for")
	mark(t, m, "marked again")
	for i := range 100 {
		marked(t, m, fmt.Sprintf("never marked %d", i)) // pushes out nothing
	}
	mark(t, m, "one more")
	for key, want := range map[string]bool{"asked for": true, "marked again": true, "left alone": false, "one more": true} {
		if marked(t, m, key) != want {
			t.Errorf("%s: remembered is %v", key, !want)
		}
	}
}

// TestMarksAndBucketsAreApart has names that are the same, and ones that are so once the budget is added.
func TestMarksAndBucketsAreApart(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m, c := r.Marks(life), charge(per(2, time.Hour), "k")
	take(t, r, c)
	bucket := ratelimit.RedisKey(c)
	for _, key := range []string{"k", "k:2/1h0m0s", bucket} {
		if marked(t, m, key) {
			t.Errorf("the bucket is the mark of %q", key)
		}
		mark(t, m, key)
	}
	take(t, r, charge(per(2, time.Hour), "mark:k"))
	if n := given(t, r, c); n != 1 {
		t.Errorf("the bucket has %d left of 1", n)
	}
	for _, key := range r.Client().Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "clerkql:{ratelimit}:") && !strings.HasPrefix(key, "clerkql:mark:{ratelimit}:k") && key != "clerkql:mark:{ratelimit}:"+bucket {
			t.Errorf("%q is there", key)
		}
	}
}

func TestReplicasShareMarks(t *testing.T) {
	server := redistest.Start(t)
	one, other := connect(t, server, 10*time.Second).Marks(life), connect(t, server, 10*time.Second).Marks(life)
	mark(t, one, "k")
	if !marked(t, other, "k") {
		t.Error("the other replica does not know")
	}
}

func TestOneMarkIsOneCommand(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m := r.Marks(life)
	mark(t, m, "k") // connects
	before := commands(t, r)
	mark(t, m, "k")
	marked(t, m, "k")
	if n := commands(t, r) - before; n != 1+2 { // the first INFO counts
		t.Errorf("%d commands", n)
	}
}

// TestGarbageInRedisIsAMark: somebody else writes where a mark is.
func TestGarbageInRedisIsAMark(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	m := r.Marks(life)
	if err := r.Client().RPush(t.Context(), "clerkql:mark:{ratelimit}:k", 1, 2).Err(); err != nil {
		t.Fatal(err)
	}
	if !marked(t, m, "k") {
		t.Error("not marked")
	}
	mark(t, m, "k")
	pass(t, r, life) // fails if it does not expire
	if marked(t, m, "k") {
		t.Error("remembered after its life")
	}
}

// TestGarbageFromRedisIsNoAnswerToMarks: what answers is not Redis, or not well.
func TestGarbageFromRedisIsNoAnswerToMarks(t *testing.T) {
	for _, answer := range []string{
		"", hangUp, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "-ERR no\r\n", "+QUEUED\r\n", ":2\r\n", ":-1\r\n", ":9223372036854775808\r\n",
		"$-1\r\n", "_\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:1\r\n", "\x00\xff\x17garbage\r\n", "$5\r\nshort",
	} {
		address, _ := fakeServer(t, answer)
		r, err := ratelimit.NewRedis("redis://"+address, 200*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		m := r.Marks(life)
		if err := m.Mark(t.Context(), "k"); err == nil {
			t.Errorf("%q: marked", answer)
		}
		if is, err := m.Marked(t.Context(), "k"); err == nil || is {
			t.Errorf("%q: %v, %v", answer, is, err)
		}
		r.Close()
	}
}

func TestSlowRedisHasNoMarks(t *testing.T) {
	server := redistest.Start(t)
	m := connect(t, server, 100*time.Millisecond).Marks(life)
	mark(t, m, "k")
	server.Hang()
	for name, call := range map[string]func() error{
		"Mark":   func() error { return m.Mark(t.Context(), "k") },
		"Marked": func() error { _, err := m.Marked(t.Context(), "k"); return err },
	} {
		begin := time.Now()
		if err := call(); err == nil {
			t.Errorf("%s did not fail", name)
		}
		if took := time.Since(begin); took < 90*time.Millisecond || took > time.Second {
			t.Errorf("%s took %v of 100ms", name, took)
		}
	}
}

func TestAClientThatGoesAwayIsMarked(t *testing.T) {
	m := connect(t, redistest.Start(t), 10*time.Second).Marks(life)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Mark(ctx, "k"); err != nil {
		t.Error(err)
	}
	if is, err := m.Marked(ctx, "k"); err != nil || !is {
		t.Errorf("%v, %v", is, err)
	}
}

// flakyMarks are shared marks that fail while the shared store does.
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
				if got, want := f.Stats(), (ratelimit.FallbackStats{Local: true, Outages: 1, Calls: 4}); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
				f.clock.Advance(1)
				f.shared.away.Store(false)
				marked(t, m, "k")
				if n := asked(); n != 1 || !f.Stats().Local {
					t.Errorf("what reads tried if the outage is over: %d calls", n)
				}
				end(f, m)
				if got, want := f.Stats(), (ratelimit.FallbackStats{Outages: 1, Calls: 5}); got != want {
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
	if f.Stats() != (ratelimit.FallbackStats{}) || shared.calls.Load() != 0 {
		t.Errorf("%+v", f.Stats())
	}
}

// TestAFullRedisIsOneOutage: it answers what reads, and nothing that writes. If the first ended an outage, a new one would begin at each Take.
func TestAFullRedisIsOneOutage(t *testing.T) {
	r, c := connect(t, redistest.Start(t), 10*time.Second), newClock()
	f := ratelimit.NewFallback(r, memory(t, 1000, c), pause, c.Now, slog.New(slog.DiscardHandler))
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
	f := ratelimit.NewFallback(r, store, pause, time.Now, slog.New(slog.DiscardHandler))
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
	server.Kill()
	time.Sleep(2500 * time.Millisecond)
	if !f.Stats().Local {
		t.Error("nobody noticed that Redis is gone")
	}
	restarted := time.Now()
	server.Restart()
	for f.Stats().Local {
		if time.Since(restarted) > 10*time.Second {
			t.Fatal("still local, 10 seconds after Redis is back")
		}
		time.Sleep(time.Millisecond)
	}
	recovered := time.Since(restarted)
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
	f := ratelimit.NewFallback(r, memory(t, 1000, c), pause, c.Now, slog.New(slog.DiscardHandler))
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
func BenchmarkMarks(b *testing.B) {
	local, err := ratelimit.NewMemoryMarks(50_000, life, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	for name, m := range map[string]ratelimit.Marks{"memory": local, "redis": connect(b, redistest.Start(b), time.Second).Marks(life)} {
		b.Run(name+"/Mark", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				mark(b, m, fmt.Sprintf("known s:%022d", i%100_000))
			}
		})
		b.Run(name+"/Marked", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				marked(b, m, fmt.Sprintf("known s:%022d", i%100_000))
			}
		})
	}
}
