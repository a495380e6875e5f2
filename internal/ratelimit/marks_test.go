package ratelimit_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
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
		f := ratelimit.NewFallback(r, memory(t, 10_000, c), sharedredis.NewOutage(pause, c.Now, slog.New(slog.DiscardHandler)))
		test(t, f.Marks(r.Marks(life), memoryMarks(t, 10_000, c)), func(d time.Duration) {
			c.Advance(d)
			pass(t, r, d)
		})
		if stats := f.Stats(); stats != (sharedredis.Stats{}) {
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
