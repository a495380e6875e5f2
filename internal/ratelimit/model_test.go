package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clerkql/internal/ratelimit"
)

// model is what a Store has to do, told in another way: a list of when each budget gave.
type model map[ratelimit.Charge][]time.Duration

// wait returns how long a budget has to refuse. For each of the grants, those from it on, and one more, must not be more than the Count
// and what was refilled since.
func (m model) wait(c ratelimit.Charge, now time.Duration) time.Duration {
	micros := c.Budget.Per.Microseconds() / int64(c.Budget.Count)
	for time.Duration(micros)*time.Microsecond*time.Duration(c.Budget.Count) < c.Budget.Per {
		micros++
	}
	interval := time.Duration(micros) * time.Microsecond
	var wait time.Duration
	for i, at := range m[c] {
		more := len(m[c]) - i + 1 - c.Budget.Count
		if more > 0 {
			wait = max(wait, at+time.Duration(more)*interval-now)
		}
	}
	return wait
}

func (m model) take(charges []ratelimit.Charge, now time.Duration) ratelimit.Decision {
	decision := ratelimit.Decision{OK: true}
	for i, c := range charges {
		if wait := m.wait(c, now); wait > decision.RetryAfter {
			decision = ratelimit.Decision{RetryAfter: wait, Refused: i}
		}
	}
	if decision.OK {
		for _, c := range charges {
			m[c] = append(m[c], now)
		}
	}
	return decision
}

func TestEveryStoreDoesWhatTheModelDoes(t *testing.T) {
	eachStore(t, func(t *testing.T, s subject) {
		run := 0
		rapid.Check(t, func(rt *rapid.T) {
			run++
			var (
				m       = model{}
				now     time.Duration
				last    time.Duration // the last RetryAfter
				charges []ratelimit.Charge
			)
			for _, key := range []string{"a", "b"} {
				for _, name := range []string{"first", "second"} {
					charges = append(charges, ratelimit.Charge{Key: fmt.Sprintf("%d-%s", run, key), Budget: ratelimit.Budget{
						Count: rapid.IntRange(1, 7).Draw(rt, name+" count of "+key),
						Per:   time.Hour + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, name+" period of "+key)),
					}})
				}
			}
			advance := func(d time.Duration) {
				now += d
				s.advance(d)
			}
			takeSome := func(rt *rapid.T) {
				some := rapid.SliceOfNDistinct(rapid.SampledFrom(charges), 1, 3, rapid.ID[ratelimit.Charge]).Draw(rt, "charges")
				got, want := take(t, s.store, some...), m.take(some, now)
				if got != want {
					rt.Fatalf("after %v: %+v, want %+v\ngrants: %v", now, got, want, m)
				}
				last = got.RetryAfter
			}
			rt.Repeat(map[string]func(*rapid.T){
				"take":  takeSome,
				"again": takeSome,
				"wait": func(rt *rapid.T) {
					advance(time.Duration(rapid.Int64Range(0, int64(2*time.Hour/time.Microsecond)).Draw(rt, "wait")) * time.Microsecond)
				},
				"wait as told":               func(*rapid.T) { advance(last); last = 0 },
				"wait a microsecond shorter": func(*rapid.T) { advance(max(0, last-time.Microsecond)); last = min(last, time.Microsecond) },
			})
		})
	})
}
