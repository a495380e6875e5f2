package main

import "testing"

func TestRatiosArePairedWithinARound(t *testing.T) {
	ours, theirs := samples{1, 10, 4}, samples{2, 5, 4}
	if got, want := ours.over(theirs).ratio(), "~ 1.00 (0.50–2.00)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := ours.beyond(theirs).spread(1), "0.0 (-1.0–5.0)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLittleDifferencesAreNoise(t *testing.T) {
	for ratio, want := range map[float64]string{
		0.79: "0.79 (0.79–0.79)", 0.81: "~ 0.81 (0.81–0.81)", 1.24: "~ 1.24 (1.24–1.24)", 1.26: "1.26 (1.26–1.26)",
	} {
		if got := (samples{ratio}).ratio(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWhatWasNotMeasuredIsMissed(t *testing.T) {
	targets := (&figures{plan: plan{latencies: whole().latencies, inFlight: []int{1}}, memory: map[string][]memoryUse{clerkQL: {{}}}}).targets()
	for _, target := range targets[:5] {
		if target.reached {
			t.Errorf("%s: %s", target.what, target.measured)
		}
	}
}
