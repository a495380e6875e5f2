package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"clerkql/bench/flows"
)

// figures are what was measured.
type figures struct {
	plan
	at           time.Time
	binary       int // bytes
	firstReplies map[string]samples
	memory       map[string][]memoryUse // by inFlight
	rss          map[string]int         // after the rounds
	allocated    map[string]allocation  // by ClerkQL, by flow
	windows      map[windowOf]*window
	byUsers      []growth
	byClients    []growth
}

// of returns a window. One that was not measured is empty.
func (f *figures) of(name, flow string, latency time.Duration) *window {
	if w := f.windows[windowOf{name, flow, latency}]; w != nil {
		return w
	}
	return &window{}
}

// connections returns how many connections ClerkQL made to Clerk per 1000 flows, in the flow and at the latency with the most.
func (f *figures) connections() (most float64) {
	for _, latency := range f.latencies {
		for _, flow := range flows.All() {
			most = max(most, f.of(clerkQL, flow, latency).connections.mean())
		}
	}
	return most
}

// perInFlight returns how many bytes of memory a sign-in in flight takes, with n of them: the i-th number that was measured.
func (f *figures) perInFlight(name string, i int) float64 {
	use := f.memory[name][i]
	return float64(use.inFlight-use.idle) / float64(f.inFlight[i])
}

// samples are what one thing came to, one after the other.
type samples []float64

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median returns the middle of the samples; NaN without any.
func (s samples) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func (s samples) mean() (mean float64) {
	for _, x := range s {
		mean += x / float64(len(s))
	}
	return mean
}

// over returns the ratios to samples that were taken in the same rounds.
func (s samples) over(other samples) samples {
	return s.paired(other, func(a, b float64) float64 { return a / b })
}

// beyond returns the differences to samples that were taken in the same rounds.
func (s samples) beyond(other samples) samples {
	return s.paired(other, func(a, b float64) float64 { return a - b })
}

func (s samples) paired(other samples, with func(a, b float64) float64) samples {
	pairs := make(samples, min(len(s), len(other)))
	for i := range pairs {
		pairs[i] = with(s[i], other[i])
	}
	return pairs
}

// spread tells the median, and the least and the most.
func (s samples) spread(digits int) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median(), digits, slices.Min(s), digits, slices.Max(s))
}

// noise is how far a ratio may be from 1 and say nothing.
const noise = 1.25

// ratio tells ratios, with a ~ if their median is noise.
func (s samples) ratio() string {
	text := s.spread(2)
	if m := s.median(); m < noise && m > 1/noise {
		text = "~ " + text
	}
	return text
}
