package ratelimit_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

const (
	essential  = ratelimit.Essential
	deferrable = ratelimit.Deferrable
	committed  = ratelimit.Committed
)

// limit of the quotas under test: 980 of the calls are given, 46 or 47 of them in a part. Keys in Redis expire in real time, so it is a long one.
var limit = ratelimit.Budget{Count: 1000, Per: time.Hour}

const part = 3 * time.Minute

// quotaSubject is a quota under test, with the clock that it goes by, which stands at the beginning of a part.
type quotaSubject struct {
	ratelimit.Quota
	advance func(time.Duration)
	now     func() time.Time
}

func eachQuota(t *testing.T, test func(t *testing.T, q quotaSubject)) {
	t.Run("memory", func(t *testing.T) {
		c := newQuotaClock()
		test(t, quotaSubject{memoryQuota(t, c), c.Advance, c.Now})
	})
	t.Run("redis", func(t *testing.T) { test(t, redisQuota(t)) })
	t.Run("fallback", func(t *testing.T) {
		shared, c := redisQuota(t), newQuotaClock()
		fallback := ratelimit.NewFallback(nil, nil, sharedredis.NewOutage(time.Second, c.Now, slog.New(slog.DiscardHandler)))
		test(t, quotaSubject{fallback.Quota(shared, memoryQuota(t, c)), func(d time.Duration) {
			c.Advance(d)
			shared.advance(d)
		}, c.Now})
		if stats := fallback.Stats(); stats != (sharedredis.Stats{}) {
			t.Errorf("fell back: %+v", stats)
		}
	})
}

func newQuotaClock() *clock { return &clock{now: epoch.Truncate(time.Hour)} }

func memoryQuota(t testing.TB, c *clock) *ratelimit.MemoryQuota {
	t.Helper()
	q, err := ratelimit.NewMemoryQuota(limit, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func redisQuota(t *testing.T) quotaSubject {
	t.Helper()
	r, c := connect(t, redistest.Start(t), 10*time.Second), newQuotaClock()
	q, err := r.Quota("an instance", limit)
	if err != nil {
		t.Fatal(err)
	}
	q.FakeClock(t)
	advance := func(d time.Duration) {
		c.Advance(d)
		now := c.Now()
		if err := r.Client().MSet(t.Context(), ratelimit.ClockSeconds, now.Unix(), ratelimit.ClockMicros, now.Nanosecond()/1000).Err(); err != nil {
			t.Fatal(err)
		}
	}
	advance(0)
	return quotaSubject{q, advance, c.Now}
}

func takeCalls(t testing.TB, q ratelimit.Quota, calls int, class ratelimit.Class) ratelimit.Grant {
	t.Helper()
	grant, err := q.Take(context.Background(), calls, class)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

// givenCalls takes calls one by one until refused, and returns how many were given.
func givenCalls(t testing.TB, q ratelimit.Quota, class ratelimit.Class) int {
	t.Helper()
	for n := range 10_000 {
		if !takeCalls(t, q, 1, class).OK {
			return n
		}
	}
	t.Fatal("there is no limit")
	return 0
}

func wantCalls(t testing.TB, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d calls, want %d", what, got, want)
	}
}

func TestAQuotaGivesAShareAtOnceAndTheRestEvenly(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		wantCalls(t, "a fifth at once to what can wait", givenCalls(t, q, deferrable), 980/5)
		wantCalls(t, "half at once", givenCalls(t, q, essential), 490-980/5)
		if grant := takeCalls(t, q, 1, essential); grant.RetryAfter != part {
			t.Errorf("refused with %+v", grant)
		}
		q.advance(part / 2)
		wantCalls(t, "half a part later, which has given enough", givenCalls(t, q, essential), 0)
		q.advance(part / 2)
		wantCalls(t, "after a part that has given more than its share", givenCalls(t, q, deferrable), 0)
		wantCalls(t, "an even share", givenCalls(t, q, essential), 46)
		q.advance(2 * part)
		wantCalls(t, "half of two shares", givenCalls(t, q, deferrable), 46)
		wantCalls(t, "the rest of them", givenCalls(t, q, essential), 47)
		q.advance(2 * part)
		wantCalls(t, "what can wait, after three fifths are used", givenCalls(t, q, deferrable), 0)
		left := 980 - 490 - 46 - 46 - 47
		for left > 93 {
			given := givenCalls(t, q, essential)
			if given < 46 || given > 93 {
				t.Errorf("an even share of %d calls", given)
			}
			left -= given
			q.advance(part)
		}
		for range 3 {
			left -= givenCalls(t, q, essential)
			q.advance(part)
		}
		wantCalls(t, "when all is used: left", left, 0)
		wantCalls(t, "when all is used", givenCalls(t, q, essential), 0)
		q.advance(time.Hour + part)
		wantCalls(t, "a period later", givenCalls(t, q, essential), 490)
	})
}

func TestCommittedCallsAreGivenAndCounted(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		takeCalls(t, q, 489, committed)
		wantCalls(t, "what is left at once", givenCalls(t, q, essential), 1)
		if !takeCalls(t, q, 1000, committed).OK {
			t.Error("refused what has begun")
		}
	})
}

func TestReturnedCallsAreGivenAgain(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		grant := takeCalls(t, q, 490, essential)
		q.advance(part)
		if err := q.Return(context.Background(), grant, 200); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, "what was returned", givenCalls(t, q, essential), 200)
		q.advance(time.Hour)
		if err := q.Return(context.Background(), grant, 200); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, "at once, where what was returned is not counted any more", givenCalls(t, q, essential), 290)
	})
}

func TestAPauseGivesNothing(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		for _, wait := range []time.Duration{10 * time.Second, 5 * time.Second} { // the longer one holds
			if err := q.Pause(context.Background(), wait); err != nil {
				t.Fatal(err)
			}
		}
		if grant := takeCalls(t, q, 1, essential); grant != (ratelimit.Grant{RetryAfter: 10 * time.Second}) {
			t.Errorf("in a pause: %+v", grant)
		}
		if !takeCalls(t, q, 1, committed).OK {
			t.Error("refused what has begun")
		}
		q.advance(10 * time.Second)
		if !takeCalls(t, q, 1, essential).OK {
			t.Error("refused after the pause")
		}
		if err := q.Pause(context.Background(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if grant := takeCalls(t, q, 1, essential); grant.RetryAfter != time.Minute {
			t.Errorf("a pause of an hour: %+v", grant)
		}
	})
}

// TestNoPeriodGivesMoreThanTheLimit asks for calls at random, in bursts and in floods, and holds every period against the limit.
func TestNoPeriodGivesMoreThanTheLimit(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		random := rand.New(rand.NewPCG(1, 2))
		type taken struct {
			at    time.Time
			calls int
		}
		var given []taken
		sum, most := 0, 0
		for range 5000 {
			calls, class := 1+random.IntN(8), ratelimit.Class(random.IntN(2))
			if takeCalls(t, q, calls, class).OK {
				given = append(given, taken{q.now(), calls})
				sum += calls
			}
			for !given[0].at.After(q.now().Add(-limit.Per)) {
				sum -= given[0].calls
				given = given[1:]
			}
			most = max(most, sum)
			if random.IntN(3) > 0 {
				q.advance(time.Duration(random.Int64N(int64(10 * time.Second))))
			} else if random.IntN(50) == 0 {
				q.advance(time.Duration(random.Int64N(int64(time.Hour))))
			}
		}
		if most > 980 || most < 800 {
			t.Errorf("at most %d calls in a period", most)
		}
	})
}

// TestAFloodStarvesNobody holds a quota against ten times the load that it can give.
func TestAFloodStarvesNobody(t *testing.T) {
	for name, test := range map[string]struct {
		// flood is of one class, or of both in turn.
		flood []ratelimit.Class
		// essentials is how many of the limit's calls essential ones must get at least, and others how many of a few that are asked for.
		essentials, others float64
	}{
		"of what can't wait": {[]ratelimit.Class{essential}, 0.87, 0},
		"of both":            {[]ratelimit.Class{deferrable, essential}, 0.84, 0},
		"of what can wait":   {[]ratelimit.Class{deferrable}, 0, 0.97},
	} {
		t.Run(name, func(t *testing.T) {
			eachQuota(t, func(t *testing.T, q quotaSubject) {
				const periods, steps = 6, 250 // of ten sign-ins with four calls each: 10,000 calls in a period
				floods, few, fewAsked := 0, 0, 0
				for i := range periods * steps {
					for j := range 10 {
						class := test.flood[j%len(test.flood)]
						if takeCalls(t, q, 4, class).OK && class == essential {
							floods += 4
						}
					}
					if i%10 == 5 { // a sign-in now and then: a part of what the limit allows
						fewAsked++
						if takeCalls(t, q, 4, essential).OK {
							few++
						}
					}
					q.advance(limit.Per / steps)
				}
				if got := float64(floods) / periods / 1000; got < test.essentials || got > 1 {
					t.Errorf("the flood got %.3f of the limit", got)
				}
				if got := float64(few) / float64(fewAsked); got < test.others {
					t.Errorf("of few sign-ins, %.3f were let through", got)
				}
				// When it ends, so do the refusals.
				q.advance(2 * part)
				if !takeCalls(t, q, 4, essential).OK {
					t.Error("a sign-in is refused two parts after the flood")
				}
				if q.advance(2 * part); !takeCalls(t, q, 2, deferrable).OK {
					t.Error("what can wait is refused four parts after the flood")
				}
			})
		})
	}
}

// TestAFloodOfWhatCanWaitShutsNobodyOut holds that sign-ins which begin with a flood are never refused for longer than a part.
func TestAFloodOfWhatCanWaitShutsNobodyOut(t *testing.T) {
	for load, most := range map[int]time.Duration{30: part, 50: part, 70: part, 90: 4 * part} { // in percent of the limit
		eachQuota(t, func(t *testing.T, q quotaSubject) {
			every := 4 * limit.Per * 100 / time.Duration(limit.Count*load)
			var refused, longest time.Duration
			for spent := time.Duration(0); spent < 3*limit.Per; spent += every {
				for range 100 { // at most: a flood takes all that it gets
					if !takeCalls(t, q, 2, deferrable).OK {
						break
					}
				}
				if takeCalls(t, q, 4, essential).OK {
					refused = 0
				} else {
					refused += every
				}
				longest = max(longest, refused)
				q.advance(every)
			}
			if longest > most+every {
				t.Errorf("at %d %% of the limit, sign-ins were refused for %.1f parts", load, float64(longest)/float64(part))
			}
		})
	}
}

func TestATwentiethIsForWhatCanWait(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		for range 2 * limit.Per / part { // sign-ins take seven tenths of the limit
			for range 7 * 980 / 10 / 4 / 20 {
				takeCalls(t, q, 4, essential)
			}
			q.advance(part)
		}
		wantCalls(t, "while sign-ins take seven tenths", givenCalls(t, q, deferrable), 980/20)
	})
}

func TestATwentiethIsNotBeyondTheLimit(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		got := 0
		for range limit.Per / part {
			got += givenCalls(t, q, essential)
			q.advance(part - time.Second)
			got += givenCalls(t, q, essential)
			q.advance(time.Second)
		}
		wantCalls(t, "in a period", got+givenCalls(t, q, essential)+givenCalls(t, q, deferrable), 980)
	})
}

func TestDeferrableCallsThatAreReturnedCanBeDeferredAgain(t *testing.T) {
	eachQuota(t, func(t *testing.T, q quotaSubject) {
		grant := takeCalls(t, q, 980/5, deferrable)
		if err := q.Return(context.Background(), grant, 100); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, "what was returned", givenCalls(t, q, deferrable), 100)
	})
}

// TestSmallLimitsServeSignIns holds that a grant which is larger than a part's share is given, too.
func TestSmallLimitsServeSignIns(t *testing.T) {
	for _, count := range []int{25, 34, 43, 50, 63, 80} {
		c := newQuotaClock()
		q, err := ratelimit.NewMemoryQuota(ratelimit.Budget{Count: count, Per: time.Hour}, c.Now)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 4 * count / 5 { // four fifths of the limit, for four periods
			if !takeCalls(t, q, 4, essential).OK {
				t.Errorf("of %d calls, the sign-in %d is refused", count, n)
				break
			}
			c.Advance(time.Hour * 5 / time.Duration(count))
		}
	}
}

func TestAPauseEndsWhenTheClockIsSetBack(t *testing.T) {
	q := redisQuota(t)
	if err := q.Pause(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	q.advance(-time.Hour)
	if grant := takeCalls(t, q, 1, essential); grant.RetryAfter != time.Minute {
		t.Errorf("after the clock was set back: %+v", grant)
	}
	q.advance(time.Minute)
	if !takeCalls(t, q, 1, essential).OK {
		t.Error("refused a minute later")
	}
}

func TestReplicasShareAQuota(t *testing.T) {
	server := redistest.Start(t)
	c := newQuotaClock()
	quotas := make([]*ratelimit.FallbackQuota, 2)
	for i := range quotas {
		r := connect(t, server, time.Second)
		shared, err := r.Quota("an instance", limit)
		if err != nil {
			t.Fatal(err)
		}
		fallback := ratelimit.NewFallback(r, memory(t, 10, c), sharedredis.NewOutage(time.Minute, c.Now, slog.New(slog.DiscardHandler)))
		quotas[i] = fallback.Quota(shared, memoryQuota(t, c))
	}
	first, second := givenCalls(t, quotas[1], deferrable), givenCalls(t, quotas[0], deferrable)
	if first < 980/5 || first+second > 980/5+46 { // it is a real clock
		t.Errorf("two replicas got %d and %d calls", first, second)
	}
	if err := quotas[0].Pause(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if takeCalls(t, quotas[1], 1, essential).OK {
		t.Error("the other replica knows nothing of the pause")
	}
	server.Kill()
	wantCalls(t, "without Redis, what a replica has not given yet", givenCalls(t, quotas[1], essential), 490-first)
}

func TestInstancesShareNoQuota(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	for _, instance := range []string{"one", "another"} {
		q, err := r.Quota(instance, limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := givenCalls(t, q, essential); got < 490 {
			t.Errorf("%s instance got %d calls", instance, got)
		}
	}
}

// TestReturnsInAnOutage holds that calls go back to where they were counted, which the shared quota is only if it gave them.
func TestReturnsInAnOutage(t *testing.T) {
	server, c := redistest.Start(t), newQuotaClock()
	r := connect(t, server, time.Second)
	shared, err := r.Quota("an instance", limit)
	if err != nil {
		t.Fatal(err)
	}
	shared.FakeClock(t)
	setClock := func() {
		now := c.Now()
		if err := r.Client().MSet(t.Context(), ratelimit.ClockSeconds, now.Unix(), ratelimit.ClockMicros, now.Nanosecond()/1000).Err(); err != nil {
			t.Fatal(err)
		}
	}
	setClock()
	q := ratelimit.NewFallback(nil, nil, sharedredis.NewOutage(time.Minute, c.Now, slog.New(slog.DiscardHandler))).Quota(shared, memoryQuota(t, c))
	before := takeCalls(t, q, 980/5, deferrable)
	server.Kill()
	if err := q.Return(t.Context(), before, 100); err != nil {
		t.Fatal(err)
	}
	during := takeCalls(t, q, 100, deferrable)
	if !during.OK {
		t.Error("what was returned in the outage can't be taken")
	}
	wantCalls(t, "in the outage, beyond what was returned", givenCalls(t, q, deferrable), 0)
	server.Restart()
	setClock()
	c.Advance(time.Minute)
	after := takeCalls(t, q, 980/5, deferrable)
	if err := q.Return(t.Context(), during, 100); err != nil || !after.OK {
		t.Fatal(err, after)
	}
	wantCalls(t, "after the outage", givenCalls(t, q, deferrable), 0)
}

func TestQuotasThatCannotBe(t *testing.T) {
	for _, wrong := range []ratelimit.Budget{{}, {Count: 11, Per: time.Second}, {Count: 100, Per: time.Millisecond}, {Count: 1000, Per: -time.Second}} {
		if _, err := ratelimit.NewMemoryQuota(wrong, time.Now); err == nil {
			t.Errorf("%+v can be", wrong)
		}
	}
}
