package main

import (
	"context"
	"fmt"
	"time"

	"clerkql/bench/flows"
	"clerkql/bench/load"
	"clerkql/bench/stub"
)

// memoryUse is what a server has of memory, in bytes.
type memoryUse struct {
	idle     int // after its start and one sign-in
	inFlight int // while so many sign-ins wait for Clerk's first answer
}

// measureMemory measures each server anew for each number of sign-ins in flight, so that none profits from what an earlier one left.
func (b *bench) measureMemory(ctx context.Context, f *figures) error {
	clerk, err := b.startStub()
	if err != nil {
		return err
	}
	defer clerk.Stop()
	f.memory = map[string][]memoryUse{}
	for _, n := range b.inFlight {
		for _, name := range b.servers() {
			use, err := b.memoryOf(ctx, clerk, name, n)
			if err != nil {
				return fmt.Errorf("%s, %d in flight: %w", name, n, err)
			}
			f.memory[name] = append(f.memory[name], use)
		}
	}
	return nil
}

func (b *bench) memoryOf(ctx context.Context, clerk *clerkStub, name string, n int) (use memoryUse, err error) {
	s, err := b.start(name, clerk.url, stub.SecretKey)
	if err != nil {
		return use, err
	}
	defer s.Stop()
	if err := signInOnce(s); err != nil {
		return use, err
	}
	if use.idle, err = s.RSS(); err != nil {
		return use, err
	}
	client := load.New(s.addr, n)
	defer client.Close()
	requests, err := flows.Requests(api(name), client, flows.SignIn, b.accounts)
	if err != nil {
		return use, err
	}
	if err := clerk.Hold(); err != nil {
		return use, err
	}
	answered := make(chan error, 1)
	go func() {
		_, err := client.RunN(requests, n)
		answered <- err
	}()
	err = clerk.awaitHeld(ctx, n, answered)
	if err == nil {
		use.inFlight, err = s.RSS()
	}
	if releaseErr := clerk.Release(); err == nil {
		err = releaseErr
	}
	if err != nil {
		return use, err
	}
	return use, <-answered
}

// signInOnce makes one sign-in, over a connection that is closed again.
func signInOnce(s *server) error {
	client := load.New(s.addr, 1)
	defer client.Close()
	_, err := client.Do(api(s.name).Request(flows.SignIn, 0, flows.Session{}))
	return err
}

// awaitHeld waits until the stub holds so many answers back.
func (c *clerkStub) awaitHeld(ctx context.Context, n int, answered <-chan error) error {
	const longest = 40 * time.Second
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	for {
		counts, err := c.Counts()
		if err != nil || counts.Held == n {
			return err
		}
		select {
		case err := <-answered:
			return fmt.Errorf("answered before Clerk did: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("only %d calls reached Clerk", counts.Held)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
