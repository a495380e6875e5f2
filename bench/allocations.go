package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"clerkql/bench/flows"
)

// allocation is what a flow allocates.
type allocation struct{ objects, bytes float64 }

// countAllocations runs the benchmark of the flows, which has the server in its own process, where its allocations can be counted.
func (b *bench) countAllocations(ctx context.Context, f *figures) error {
	args := append([]string{"test"}, b.buildFlags...)
	args = append(args, "clerkql", "-run", "^$", "-bench", "^BenchmarkFlow$", "-benchtime", strconv.Itoa(b.allocations)+"x")
	benchmark := exec.CommandContext(ctx, "go", args...)
	benchmark.Dir = filepath.Dir(filepath.Dir(b.nodeDir))
	out, err := benchmark.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	f.allocated = map[string]allocation{}
	lines := regexp.MustCompile(`(?m)^BenchmarkFlow/(\w+)\S*\s.*\s(\d+) B/op\s+(\d+) allocs/op`)
	for _, line := range lines.FindAllStringSubmatch(string(out), -1) {
		bytes, _ := strconv.ParseFloat(line[2], 64) // digits
		objects, _ := strconv.ParseFloat(line[3], 64)
		f.allocated[line[1]] = allocation{objects, bytes}
	}
	if len(f.allocated) != len(flows.All()) {
		return fmt.Errorf("figures of %d flows in %s", len(f.allocated), out)
	}
	return nil
}
