package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"clerkql/bench/floor"
	"clerkql/bench/flows"
	"clerkql/bench/load"
	"clerkql/bench/process"
	"clerkql/bench/stub"
)

// contestant is a program that runs flows.
type contestant interface {
	// prepare has it ready to run a flow.
	prepare(flow string) error
	// flow runs a flow from so many workers for a while.
	flow(ctx context.Context, flow string, workers int, during time.Duration) (floor.Report, error)
	CPU() (time.Duration, error)
}

// window is what one contestant came to with one flow at one latency, in each round.
type window struct {
	cpu             samples // seconds per 1000 flows
	p50, p99        samples // milliseconds
	perSecond       samples
	connections     samples // to Clerk, per 1000 flows
	mallocs, malloc samples // of the SDK alone: objects and bytes per flow
}

// windowOf names a window.
type windowOf struct {
	name, flow string
	latency    time.Duration
}

// measureRounds measures all contestants by turns: in each round, for each latency and flow, one after the other, and each round begins with another one.
func (b *bench) measureRounds(ctx context.Context, f *figures) error {
	clerk, err := b.startStub()
	if err != nil {
		return err
	}
	defer clerk.Stop()
	contestants := map[string]contestant{}
	names := append([]string{sdk}, b.servers()...)
	alone, err := b.startFloor(clerk.url)
	if err != nil {
		return err
	}
	defer alone.Stop()
	contestants[sdk] = alone
	for _, name := range b.servers() {
		s, err := b.start(name, clerk.url, stub.SecretKey)
		if err != nil {
			return err
		}
		defer s.Stop()
		client := load.New(s.addr, b.workers)
		defer client.Close()
		contestants[name] = &loaded{s, client, b.accounts, map[string]load.Requests{}}
	}

	f.windows = map[windowOf]*window{}
	f.rss = map[string]int{}
	for _, name := range names {
		for _, flow := range flows.All() {
			if err := contestants[name].prepare(flow); err != nil {
				return fmt.Errorf("%s, %s: %w", name, flow, err)
			}
			if _, err := contestants[name].flow(ctx, flow, b.workers, b.warmUp); err != nil {
				return fmt.Errorf("%s, %s: %w", name, flow, err)
			}
		}
	}
	for round := range b.rounds {
		for _, latency := range b.latencies {
			if err := clerk.SetLatency(latency); err != nil {
				return err
			}
			for _, flow := range flows.All() {
				if flow == flows.Viewer && latency > 0 {
					continue // it calls nobody
				}
				for i := range names {
					of := windowOf{names[(i+round)%len(names)], flow, latency}
					if err := b.measure(ctx, clerk, contestants[of.name], f, of); err != nil {
						return fmt.Errorf("%s, %s: %w", of.name, flow, err)
					}
				}
			}
		}
		fmt.Fprint(b.progress, ".")
	}
	for _, name := range b.servers() {
		if f.rss[name], err = contestants[name].(*loaded).RSS(); err != nil {
			return err
		}
	}
	return nil
}

// measure measures one contestant once.
func (b *bench) measure(ctx context.Context, clerk *clerkStub, c contestant, f *figures, of windowOf) error {
	before, err := clerk.Counts()
	if err != nil {
		return err
	}
	cpuBefore, err := c.CPU()
	if err != nil {
		return err
	}
	report, err := c.flow(ctx, of.flow, b.workers, b.window)
	if err != nil {
		return err
	}
	cpu, err := c.CPU()
	if err != nil {
		return err
	}
	after, err := clerk.Counts()
	if err != nil {
		return err
	}
	if calls := after.Calls - before.Calls; calls != report.Flows*flows.Calls(of.flow) {
		return fmt.Errorf("%d calls to Clerk for %d flows, which are to take %d each", calls, report.Flows, flows.Calls(of.flow))
	}
	w := f.windows[of]
	if w == nil {
		w = &window{}
		f.windows[of] = w
	}
	per1000 := 1000 / float64(report.Flows)
	w.cpu = append(w.cpu, (cpu-cpuBefore).Seconds()*per1000)
	w.p50, w.p99 = append(w.p50, milliseconds(report.P50)), append(w.p99, milliseconds(report.P99))
	w.perSecond = append(w.perSecond, report.PerSecond())
	w.connections = append(w.connections, float64(after.Connections-before.Connections)*per1000)
	w.mallocs, w.malloc = append(w.mallocs, report.Mallocs), append(w.malloc, report.Bytes)
	return ctx.Err()
}

// loaded is a server with those who ask it.
type loaded struct {
	*server
	client   *load.Client
	accounts int
	requests map[string]load.Requests
}

// load returns a server with those who ask it, ready for sign-ins of so many accounts.
func (b *bench) load(s *server, accounts int) (*loaded, error) {
	client := load.New(s.addr, b.workers)
	requests, err := flows.Requests(api(s.name), client, flows.SignIn, accounts)
	if err != nil {
		return nil, err
	}
	return &loaded{s, client, accounts, map[string]load.Requests{flows.SignIn: requests}}, nil
}

func (l *loaded) prepare(flow string) (err error) {
	l.requests[flow], err = flows.Requests(api(l.name), l.client, flow, l.accounts)
	return err
}

func (l *loaded) flow(ctx context.Context, flow string, _ int, during time.Duration) (floor.Report, error) {
	result, err := l.client.Run(ctx, l.requests[flow], during)
	if err == nil {
		err = l.forgetLog()
	}
	return floor.Report{Result: result}, err
}

// floorProcess is the process that makes the calls with the SDK alone.
type floorProcess struct{ *process.Process }

func (b *bench) startFloor(clerkURL string) (floorProcess, error) {
	started, err := process.Start(process.Program{Path: b.self, Args: []string{"floor", clerkURL, stub.SecretKey, strconv.Itoa(b.workers)}})
	return floorProcess{started}, err
}

func (floorProcess) prepare(string) error { return nil }

func (p floorProcess) flow(_ context.Context, flow string, workers int, during time.Duration) (report floor.Report, err error) {
	if err := json.NewEncoder(p.Stdin).Encode(floor.Order{Flow: flow, Workers: workers, During: during}); err != nil {
		return report, err
	}
	line, err := p.Stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &report)
	}
	return report, err
}
