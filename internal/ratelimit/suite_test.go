package ratelimit_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: epoch} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// subject is a store under test, with the clock that it goes by.
type subject struct {
	store   ratelimit.Store
	advance func(time.Duration)
}

// eachStore runs a test on every store. All of them go by clocks that stand still until they are advanced. Budgets must be of an hour or
// more, as in Redis keys still expire in real time.
func eachStore(t *testing.T, test func(t *testing.T, s subject)) {
	t.Run("memory", func(t *testing.T) {
		c := newClock()
		test(t, subject{memory(t, 10_000, c), c.Advance})
	})
	t.Run("redis", func(t *testing.T) {
		test(t, fakeClockRedis(t))
	})
	t.Run("fallback", func(t *testing.T) {
		shared, c := fakeClockRedis(t), newClock()
		fallback := ratelimit.NewFallback(shared.store, memory(t, 10_000, c), sharedredis.NewOutage(time.Second, c.Now, slog.New(slog.DiscardHandler)))
		test(t, subject{fallback, func(d time.Duration) {
			c.Advance(d)
			shared.advance(d)
		}})
		if stats := fallback.Stats(); stats != (sharedredis.Stats{}) {
			t.Errorf("fell back: %+v", stats)
		}
	})
}

func memory(t testing.TB, keys int, c *clock) *ratelimit.Memory {
	t.Helper()
	m, err := ratelimit.NewMemory(keys, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func fakeClockRedis(t *testing.T) subject {
	t.Helper()
	r, c := connect(t, redistest.Start(t), 10*time.Second), newClock()
	r.FakeClock(t)
	advance := func(d time.Duration) {
		c.Advance(d)
		now := c.Now()
		if err := r.Client().MSet(t.Context(), ratelimit.ClockSeconds, now.Unix(), ratelimit.ClockMicros, now.Nanosecond()/1000).Err(); err != nil {
			t.Fatal(err)
		}
	}
	advance(0)
	return subject{r, advance}
}

func take(t testing.TB, store ratelimit.Store, charges ...ratelimit.Charge) ratelimit.Decision {
	t.Helper()
	decision, err := store.Take(context.Background(), charges)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

// given takes until refused, and returns how many were given.
func given(t testing.TB, store ratelimit.Store, charges ...ratelimit.Charge) int {
	t.Helper()
	for n := range 10_000 {
		if !take(t, store, charges...).OK {
			return n
		}
	}
	t.Fatal("there is no limit")
	return 0
}

func per(count int, d time.Duration) ratelimit.Budget {
	return ratelimit.Budget{Count: count, Per: d}
}

func TestABudgetGivesItsCountAtOnceAndRefillsEvenly(t *testing.T) {
	eachStore(t, func(t *testing.T, s subject) {
		c := ratelimit.Charge{Key: "k", Budget: per(4, time.Hour)}
		if n := given(t, s.store, c); n != 4 {
			t.Fatalf("gave %d at once", n)
		}
		if d := take(t, s.store, c); d != (ratelimit.Decision{RetryAfter: 15 * time.Minute}) {
			t.Errorf("refused with %+v", d)
		}
		s.advance(15*time.Minute - time.Microsecond)
		if d := take(t, s.store, c); d != (ratelimit.Decision{RetryAfter: time.Microsecond}) {
			t.Errorf("a microsecond too early: %+v", d)
		}
		s.advance(time.Microsecond)
		if n := given(t, s.store, c); n != 1 {
			t.Errorf("gave %d after RetryAfter", n)
		}
		s.advance(30 * time.Minute)
		if n := given(t, s.store, c); n != 2 {
			t.Errorf("gave %d after half of its time", n)
		}
		s.advance(1000 * time.Hour)
		if n := given(t, s.store, c); n != 4 {
			t.Errorf("gave %d when full", n)
		}
	})
}

func TestAllOrNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, s subject) {
		wide := ratelimit.Charge{Key: "wide", Budget: per(5, time.Hour)}
		narrow := ratelimit.Charge{Key: "narrow", Budget: per(2, 4*time.Hour)}
		narrower := ratelimit.Charge{Key: "narrower", Budget: per(2, 6*time.Hour)}
		if n := given(t, s.store, wide, narrow, narrower); n != 2 {
			t.Fatalf("gave %d", n)
		}
		// The longest wait is told, and whose it is.
		want := ratelimit.Decision{RetryAfter: 3 * time.Hour, Refused: 2}
		for range 10 {
			if d := take(t, s.store, wide, narrow, narrower); d != want {
				t.Fatalf("%+v, want %+v", d, want)
			}
		}
		if n := given(t, s.store, wide); n != 3 {
			t.Errorf("%d of 3 are left of the budget that did not refuse", n)
		}
	})
}

func TestBudgetsAreApart(t *testing.T) {
	eachStore(t, func(t *testing.T, s subject) {
		charges := []ratelimit.Charge{
			{Key: "a", Budget: per(2, time.Hour)},
			{Key: "b", Budget: per(2, time.Hour)},
			{Key: "a:2/1h0m0s", Budget: per(2, time.Hour)},
			{Key: "a", Budget: per(3, time.Hour)},
			{Key: "a", Budget: per(2, 2*time.Hour)},
			{Key: "a", Budget: per(2, 2*time.Hour+1)},
		}
		if !take(t, s.store, charges...).OK {
			t.Fatal("refused")
		}
		for _, c := range charges {
			if n := given(t, s.store, c); n != c.Budget.Count-1 {
				t.Errorf("%+v had %d left", c, n)
			}
		}
	})
}

func TestBudgetsHoldUnderConcurrency(t *testing.T) {
	eachStore(t, func(t *testing.T, s subject) {
		a := ratelimit.Charge{Key: "a", Budget: per(300, time.Hour)}
		b := ratelimit.Charge{Key: "b", Budget: per(100, time.Hour)}
		const callers, calls = 50, 20
		var (
			wg    sync.WaitGroup
			mu    sync.Mutex
			oks   [2]int
			fatal error
		)
		for i := range callers {
			wg.Go(func() {
				// Half of them take from both budgets, in either order, so that a deadlock or a charge that stays would show.
				charges, kind := []ratelimit.Charge{a}, 0
				if i%2 == 0 {
					charges, kind = []ratelimit.Charge{a, b}, 1
				}
				if i%4 == 0 {
					charges = []ratelimit.Charge{b, a}
				}
				for range calls {
					d, err := s.store.Take(t.Context(), charges)
					mu.Lock()
					if err != nil {
						fatal = err
					} else if d.OK {
						oks[kind]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if fatal != nil {
			t.Fatal(fatal)
		}
		if oks[0]+oks[1] != 300 || oks[1] > 100 {
			t.Errorf("gave %d of a's 300, %d of them with one of b's 100", oks[0]+oks[1], oks[1])
		}
		if n := given(t, s.store, b); n != 100-oks[1] {
			t.Errorf("b has %d left of 100, and gave %d", n, oks[1])
		}
	})
}

func TestChargesAreChecked(t *testing.T) {
	valid := ratelimit.Charge{Key: "k", Budget: per(1, time.Hour)}
	long := make([]byte, 65)
	eachStore(t, func(t *testing.T, s subject) {
		for name, charges := range map[string][]ratelimit.Charge{
			"no key":            {{Budget: valid.Budget}},
			"long key":          {{Key: string(long), Budget: valid.Budget}},
			"twice":             {valid, valid},
			"no budget":         {valid, {Key: "other"}},
			"count of 0":        {valid, {Key: "other", Budget: per(0, time.Hour)}},
			"negative period":   {valid, {Key: "other", Budget: per(1, -time.Hour)}},
			"too fast":          {valid, {Key: "other", Budget: per(1001, time.Millisecond)}},
			"more than a year":  {valid, {Key: "other", Budget: per(1, 366*24*time.Hour)}},
			"overflowing count": {valid, {Key: "other", Budget: per(1<<62, time.Hour)}},
		} {
			if d, err := s.store.Take(t.Context(), charges); err == nil || d.OK {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		if !take(t, s.store).OK {
			t.Error("nothing to take was refused")
		}
		if n := given(t, s.store, valid); n != 1 {
			t.Errorf("an invalid Take took: %d left of 1", n)
		}
		if !take(t, s.store, ratelimit.Charge{Key: string(long[:64]), Budget: per(1000, time.Millisecond)}).OK {
			t.Error("the longest key with the fastest budget was refused")
		}
	})
}
