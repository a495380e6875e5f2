package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"clerkql/bench/flows"
	"clerkql/bench/load"
	"clerkql/bench/process"
	"clerkql/bench/stub"
)

// growth is what a sign-in costs, in seconds of a processor per 1000, when there is so much of something.
type growth struct {
	of         int
	cpu, clerk samples // of ClerkQL, and of the embedded Clerk
	rss        int
}

// measureUsers measures sign-ins with embedded Clerks that have more and more users, by turns.
func (b *bench) measureUsers(ctx context.Context, f *figures) error {
	var clerks []*process.Process
	var servers []*loaded
	for _, n := range b.users {
		clerk, err := process.Start(process.Program{Path: b.self, Args: []string{"emulator", strconv.Itoa(n)}})
		if err != nil {
			return err
		}
		defer clerk.Stop()
		clerks, f.byUsers = append(clerks, clerk), append(f.byUsers, growth{of: n})
	}
	for _, clerk := range clerks {
		line, err := clerk.Stdout.ReadBytes('\n')
		if err != nil {
			return err
		}
		var at emulated
		if err := json.Unmarshal(line, &at); err != nil {
			return err
		}
		s, err := b.start(clerkQL, at.URL, at.SecretKey)
		if err != nil {
			return err
		}
		defer s.Stop()
		l, err := b.load(s, signingIn)
		if err != nil {
			return err
		}
		defer l.client.Close()
		servers = append(servers, l)
	}
	return b.grow(ctx, servers, clerks, f.byUsers)
}

// measureClients measures sign-ins when the rate limits have counted more and more clients, by turns.
func (b *bench) measureClients(ctx context.Context, f *figures) error {
	clerk, err := b.startStub()
	if err != nil {
		return err
	}
	defer clerk.Stop()
	started := make([]*server, len(b.clients))
	for i, n := range b.clients {
		if started[i], err = b.start(clerkQL, clerk.url, stub.SecretKey); err != nil {
			return err
		}
		defer started[i].Stop()
		if err := b.fill(started[i], n); err != nil {
			return err
		}
		f.byClients = append(f.byClients, growth{of: n})
	}
	var servers []*loaded
	for _, s := range started {
		l, err := b.load(s, b.accounts)
		if err != nil {
			return err
		}
		defer l.client.Close()
		servers = append(servers, l)
	}
	return b.grow(ctx, servers, nil, f.byClients)
}

// fill has the rate limits of a server count so many clients: each sends a sign-in that is charged to it, and refused before Clerk is asked.
func (b *bench) fill(s *server, clients int) error {
	client := load.New(s.addr, b.workers)
	defer client.Close()
	const each = 10_000
	for from := 0; from < clients; from += each {
		refused := load.Requests{Want: []byte(`"InvalidInput"`)}
		for i := range min(each, clients-from) {
			refused.Bytes = append(refused.Bytes, flows.Refused(from+i))
		}
		if _, err := client.RunN(refused, len(refused.Bytes)); err != nil {
			return err
		}
		if err := s.forgetLog(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) grow(ctx context.Context, servers []*loaded, clerks []*process.Process, into []growth) error {
	for round := range b.growthRounds + 1 { // the first warms up
		for i, s := range servers {
			processes := []*process.Process{s.Process}
			if clerks != nil {
				processes = append(processes, clerks[i])
			}
			before, err := cpuOf(processes)
			if err != nil {
				return err
			}
			report, err := s.flow(ctx, flows.SignIn, b.workers, b.window)
			if err != nil {
				return err
			}
			after, err := cpuOf(processes)
			if err != nil {
				return err
			}
			if round == 0 {
				continue
			}
			cost := func(i int) float64 { return (after[i] - before[i]).Seconds() * 1000 / float64(report.Flows) }
			into[i].cpu = append(into[i].cpu, cost(0))
			if clerks != nil {
				into[i].clerk = append(into[i].clerk, cost(1))
			}
		}
	}
	for i, s := range servers {
		rss, err := s.RSS()
		if err != nil {
			return err
		}
		into[i].rss = rss
	}
	return ctx.Err()
}

func cpuOf(processes []*process.Process) (used []time.Duration, err error) {
	for _, p := range processes {
		cpu, err := p.CPU()
		if err != nil {
			return nil, err
		}
		used = append(used, cpu)
	}
	return used, nil
}
