package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"clerkql/bench/flows"
)

// target is what a figure is to be.
type target struct {
	what     string
	measured string
	reached  bool
}

// targets returns what ClerkQL is to reach. What was not measured is missed.
func (f *figures) targets() []target {
	const kilobyte, megabyte = 1 << 10, 1 << 20
	far := f.latencies[len(f.latencies)-1]
	at := func(name string, latency time.Duration) *window { return f.of(name, flows.SignIn, latency) }
	own := at(clerkQL, 0)
	atMost := func(what string, s samples, limit float64, digits int) target {
		return target{what, s.spread(digits), s.median() <= limit}
	}
	atLeast := func(what string, s samples, limit float64, digits int) target {
		return target{what, s.spread(digits), s.median() >= limit}
	}
	perInFlight := math.Inf(-1)
	for i, n := range f.inFlight {
		if n > 1 { // of one alone, the memory of the rest is most
			perInFlight = max(perInFlight, f.perInFlight(clerkQL, i)/kilobyte)
		}
	}
	var idle samples
	for _, use := range f.memory[clerkQL] {
		idle = append(idle, float64(use.idle)/megabyte)
	}
	viewer := f.of(clerkQL, flows.Viewer, 0)
	capacity := make(samples, len(viewer.cpu))
	for i, cpu := range viewer.cpu {
		capacity[i] = 2 * 1000 / cpu
	}
	one := func(x float64) samples { return samples{x} }
	return []target{
		atMost("CPU of `signIn` ≤ 1.5 × SDK alone", own.cpu.over(at(sdk, 0).cpu), 1.5, 2),
		atLeast("CPU of `signIn` 6 × less than Node Yoga", at(yoga, 0).cpu.over(own.cpu), 6, 2),
		atLeast("CPU of `signIn` 3.5 × less than a Node route", at(rest, 0).cpu.over(own.cpu), 3.5, 2),
		atMost(fmt.Sprintf("`signIn` adds ≤ 1 ms to the median, Clerk %v away", far), at(clerkQL, far).p50.beyond(at(sdk, far).p50), 1, 2),
		atMost(fmt.Sprintf("`signIn` adds ≤ 5 ms to p99, Clerk %v away", far), at(clerkQL, far).p99.beyond(at(sdk, far).p99), 5, 2),
		atMost("≤ 80 KB for each `signIn` in flight", one(perInFlight), 80, 1),
		atMost("≤ 5 new connections to Clerk per 1000 warm flows", one(f.connections()), 5, 2),
		atMost("≤ 40 MB when idle", idle, 40, 1),
		atMost("≤ 100 ms from start to first answer", f.firstReplies[clerkQL], 100, 0),
		atMost("≤ 40 MB, the stripped program", one(float64(f.binary)/megabyte), 40, 1),
		{
			"`viewer` ≥ 20 000 requests/s on two cores",
			capacity.spread(0) + " by its CPU; " + viewer.perSecond.spread(0) + " while it shares them with who asks", capacity.median() >= 20_000,
		},
	}
}

// missed returns how many targets are missed.
func missed(targets []target) int {
	return len(slices.DeleteFunc(slices.Clone(targets), func(t target) bool { return t.reached }))
}
