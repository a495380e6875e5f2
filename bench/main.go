// Command bench measures what ClerkQL costs: `clerkql serve` with every production feature on, against the floor of the calls to Clerk alone, made with Clerk's
// SDK, and against the same flows in Node. All of them run on one machine at the same time, in front of one stub of Clerk, and are measured
// by turns. It takes about ten minutes, and Linux, Go, and Node with what bench/node/package.json names.
//
//	go run ./bench [-quick] [-out docs/performance.md]
//
// It prints Markdown, and with -out puts it between the marks in that file. The commands stub, floor, route and emulator are its own: the processes that it starts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, progress io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "stub":
			return runStub(ctx, out)
		case "floor":
			return runFloor(ctx, args[1:], in, out)
		case "route":
			return runRoute(ctx, args[1:])
		case "emulator":
			return runEmulator(ctx, args[1:], out)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	quick := flags.Bool("quick", false, "measure briefly, for figures that show no more than that it works")
	file := flags.String("out", "", "Markdown `file` to put the figures in, between its marks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	plan := whole()
	if *quick {
		plan = brief()
	}
	b, err := newBench(plan, progress)
	if err != nil {
		return err
	}
	measured, err := b.run(ctx)
	if err = errors.Join(err, b.close()); err != nil {
		return err
	}
	text := measured.markdown()
	if _, err := io.WriteString(out, text); err != nil || *file == "" {
		return err
	}
	return publish(*file, text)
}

// plan is how much is measured.
type plan struct {
	rounds, workers int
	accounts        int           // that take part
	warmUp, window  time.Duration // of one flow of one program
	latencies       []time.Duration
	starts          int
	inFlight        []int
	growthRounds    int
	users           []int    // in the embedded Clerk
	clients         []int    // whom the rate limits know
	allocations     int      // flows whose allocations are counted
	buildFlags      []string // of ClerkQL
	node            bool     // measure the programs in Node
}

func whole() plan {
	return plan{
		rounds: 7, workers: 64, accounts: 10_000, warmUp: 2 * time.Second, window: 1200 * time.Millisecond,
		latencies: []time.Duration{0, 20 * time.Millisecond}, starts: 7, inFlight: []int{1, 1000, 4000},
		growthRounds: 3, users: []int{100, 10_000, 1_000_000}, clients: []int{100, 10_000, 1_000_000}, allocations: 5000,
		buildFlags: []string{"-trimpath", "-ldflags=-s -w"}, node: true,
	}
}

// brief is a plan for working on what is measured.
func brief() plan {
	p := whole()
	p.rounds, p.warmUp, p.window, p.starts = 3, time.Second, 500*time.Millisecond, 3
	p.growthRounds, p.users, p.clients, p.allocations = 1, []int{100, 10_000}, []int{100, 10_000}, 2000
	return p
}

// bench runs a plan.
type bench struct {
	plan
	*programs
	progress io.Writer
}

func newBench(plan plan, progress io.Writer) (*bench, error) {
	fmt.Fprintln(progress, "building")
	programs, err := build(plan)
	if err != nil {
		return nil, err
	}
	return &bench{plan, programs, progress}, nil
}

// run measures one thing after the other.
func (b *bench) run(ctx context.Context) (*figures, error) {
	measured := &figures{plan: b.plan, at: time.Now()}
	steps := []struct {
		what string
		do   func(context.Context, *figures) error
	}{
		{"sizes and starts", b.measureStarts},
		{"memory", b.measureMemory},
		{"allocations", b.countAllocations},
		{"rounds", b.measureRounds},
		{"growth of Clerk", b.measureUsers},
		{"growth of the limits", b.measureClients},
	}
	for _, step := range steps {
		began := time.Now()
		fmt.Fprint(b.progress, step.what)
		if err := step.do(ctx, measured); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
		fmt.Fprintf(b.progress, ": %v\n", time.Since(began).Round(time.Second))
		if ctx.Err() != nil {
			return nil, errors.New("interrupted")
		}
	}
	return measured, nil
}
