package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test program stand in for the programs that the bench starts, which are itself with a command, and holds
// that no goroutine outlives the tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// TestItMeasures runs all of it for a moment: everything answers what it is to answer, with as many calls to Clerk as it is to take.
func TestItMeasures(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it measures on Linux alone")
	}
	p := plan{
		rounds: 1, workers: 4, accounts: 100, warmUp: 20 * time.Millisecond, window: 50 * time.Millisecond, latencies: []time.Duration{0, time.Millisecond},
		starts: 1, inFlight: []int{1, 8}, growthRounds: 1, users: []int{100, 200}, clients: []int{10, 20}, allocations: 1, buildFlags: raceFlags,
		node: nodeReady(),
	}
	if !p.node {
		t.Log("without the programs in Node: npm ci --prefix bench/node --ignore-scripts")
	}
	b, err := newBench(p, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	measured, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "figures.md")
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := publish(file, measured.markdown()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "\nafter\n", "| `viewer` | 0 |", "| `signIn` | 4 |", "### Targets"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("what was there before is still there")
	}
}

// nodeReady reports whether the programs in Node can be run.
func nodeReady() bool {
	_, missing := exec.LookPath("node")
	_, notInstalled := os.Stat("node/node_modules")
	return missing == nil && notInstalled == nil
}
