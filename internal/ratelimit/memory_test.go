package ratelimit_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
)

// bytesPerKey is what the documentation of Memory says.
const bytesPerKey = 420

var (
	perMinute = ratelimit.Budget{Count: 10, Per: time.Minute}
	perHour   = ratelimit.Budget{Count: 5, Per: time.Hour}
)

func charge(b ratelimit.Budget, format string, args ...any) ratelimit.Charge {
	return ratelimit.Charge{Key: fmt.Sprintf(format, args...), Budget: b}
}

// spent reports whether a store still knows that a budget is spent.
func spent(t testing.TB, m ratelimit.Store, c ratelimit.Charge) bool {
	t.Helper()
	return !take(t, m, c).OK
}

func heapInUse() int {
	runtime.GC()
	runtime.GC() // what had a finalizer, or was in a pool, goes with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// TestMemoryIsBounded has 10 000 new addresses from as many new IPs sign in every second, for 30 seconds, and then each kind alone.
func TestMemoryIsBounded(t *testing.T) {
	const room = 10_000
	c := newClock()
	before := heapInUse()
	m := memory(t, room, c)
	global := charge(per(1_000_000, time.Minute), "signIn")
	most := 0
	for i := range 300_000 {
		if i%50_000 == 0 {
			most = max(most, heapInUse()-before)
		}
		c.Advance(100 * time.Microsecond)
		ip, address := charge(perMinute, "signIn/i:%022d", i), charge(perHour, "signIn/a:%022d", i) // as long as pseudonyms make them
		switch {
		case i < 200_000:
			take(t, m, ip, address, global)
		case i < 250_000:
			take(t, m, ip)
		default:
			take(t, m, address)
		}
		if m.Len() > room {
			t.Fatalf("%d keys after %d calls, with room for %d", m.Len(), i+1, room)
		}
	}
	most = max(most, heapInUse()-before)
	t.Logf("%d keys, at most %d bytes each", m.Len(), most/room)
	if most > room*bytesPerKey {
		t.Errorf("%d keys took %d bytes, %d each", room, most, most/room)
	}
	runtime.KeepAlive(m)
}

// TestMemoryIsGivenBack has one budget after the other fill all the room.
func TestMemoryIsGivenBack(t *testing.T) {
	const room = 1000
	c := newClock()
	before := heapInUse()
	m := memory(t, room, c)
	for period := range 100 {
		c.Advance(24 * time.Hour) // all are full
		for i := range room {
			take(t, m, charge(per(5, time.Hour+time.Duration(period)*time.Minute), "signIn/a:%022d", i))
		}
	}
	if took := heapInUse() - before; took > room*bytesPerKey {
		t.Errorf("%d keys took %d bytes, %d each", room, took, took/room)
	}
	runtime.KeepAlive(m)
}

func TestWhatIsFullIsForgottenFirst(t *testing.T) {
	c := newClock()
	m := memory(t, 100, c)
	victim := charge(perHour, "victim")
	take(t, m, victim)
	for i := range 59 {
		given(t, m, charge(perHour, "spent %d", i))
	}
	for i := range 40 {
		take(t, m, charge(perMinute, "full soon %d", i))
	}
	c.Advance(6 * time.Second)
	// There is room for these, although of all that is not full the victim is full the soonest, and its budget has the most keys.
	for i := range 40 {
		given(t, m, charge(perHour, "more %d", i))
	}
	if n := given(t, m, victim); n != 4 {
		t.Errorf("the victim had %d left of 4", n)
	}
}

func TestWhatIsFullTheSoonestIsForgottenNext(t *testing.T) {
	m := memory(t, 100, newClock()) // the clock stands still, so nothing ever is full
	name := func(i int) ratelimit.Charge { return charge(perHour, "%d", i) }
	for taken := range 5 {
		for i := range 100 {
			if taken < 5-i%5 {
				take(t, m, name(i))
			}
		}
	}
	for i := range 10_000 {
		take(t, m, charge(perHour, "made up %d", i))
	}
	for i := range 100 {
		if i%5 == 4 {
			continue // 1 was taken, as of those made up, so it may be forgotten
		}
		if n := given(t, m, name(i)); n != i%5 {
			t.Errorf("%d has %d left of %d", i, n, i%5)
		}
	}
}

func TestOneBudgetPushesOutNoOther(t *testing.T) {
	m := memory(t, 100, newClock())
	victim := charge(perMinute, "victim's IP")
	given(t, m, victim)
	for i := range 10_000 {
		take(t, m, charge(perHour, "made up address %d", i))
	}
	if !spent(t, m, victim) {
		t.Error("keys of an hour's budget pushed out one of a minute's")
	}
}

func TestRoomForFewerThanOneTake(t *testing.T) {
	if _, err := ratelimit.NewMemory(0, time.Now); err == nil {
		t.Error("room for no key was accepted")
	}
	m := memory(t, 1, newClock())
	for i := range 100 {
		take(t, m, charge(perHour, "a%d", i), charge(perMinute, "b%d", i), charge(perHour, "c%d", i))
		if m.Len() != 1 {
			t.Fatalf("%d keys", m.Len())
		}
	}
}

// BenchmarkMemoryFlood takes from a new IP and a new address every time, while the memory is full.
func BenchmarkMemoryFlood(b *testing.B) {
	for _, room := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("room for %d", room), func(b *testing.B) {
			c := newClock()
			before := heapInUse()
			m := memory(b, room, c)
			next := 0
			flood := func() {
				next++
				c.Advance(10 * time.Microsecond)
				take(b, m, charge(perMinute, "signIn/i:%022d", next), charge(perHour, "signIn/a:%022d", next))
			}
			for range room {
				flood()
			}
			bytes := heapInUse() - before
			b.ReportAllocs()
			for b.Loop() {
				flood()
			}
			b.ReportMetric(float64(bytes)/float64(m.Len()), "bytes/key")
		})
	}
}

// BenchmarkMemoryHot has all callers take from the same two keys.
func BenchmarkMemoryHot(b *testing.B) {
	m, err := ratelimit.NewMemory(1000, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	charges := []ratelimit.Charge{charge(per(1_000_000, time.Second), "a"), charge(per(1_000_000, time.Minute), "b")}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Take(b.Context(), charges); err != nil {
				b.Error(err)
			}
		}
	})
}
