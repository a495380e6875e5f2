package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clerkql/bench/flows"
	"clerkql/bench/load"
	"clerkql/bench/process"
	"clerkql/bench/settings"
	"clerkql/bench/stub"
)

// startTimeout is how long the program may take to its first answer.
const startTimeout = 10 * time.Second

// BenchmarkFlow runs the flows from 64 connections against the whole program, in this process, in front of a stub of Clerk in another, with what is on in production.
// Who asks allocates nothing, so the allocations are the program's. For a profile: go test . -run '^$' -bench Flow/signIn -cpuprofile cpu.out
func BenchmarkFlow(b *testing.B) {
	const connections, accounts, warmUp = 64, 10_000, 2000
	clerk := startStub(b)
	client := load.New(startServer(b, clerk.Clerk), connections)
	defer client.Close()
	for _, flow := range flows.All() {
		b.Run(flow, func(b *testing.B) {
			requests, err := flows.Requests(flows.GraphQL{}, client, flow, accounts)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := client.RunN(requests, warmUp); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			if _, err := client.RunN(requests, b.N); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// startStub starts a stub of Clerk in a process of its own.
func startStub(b *testing.B) stub.URLs {
	b.Helper()
	program, err := process.Build(b.TempDir(), "clerkql/bench")
	if err != nil {
		b.Fatal(err)
	}
	started, err := process.Start(process.Program{Path: program, Args: []string{"stub"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(started.Stop)
	urls, err := stub.ReadURLs(started.Stdout)
	if err != nil {
		b.Fatal(err)
	}
	return urls
}

// startServer runs serve in this process until the benchmark ends, and returns its address.
func startServer(b *testing.B, clerkURL string) (addr string) {
	b.Helper()
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	addr, err = process.FreeAddr()
	if err != nil {
		b.Fatal(err)
	}
	for _, setting := range settings.Serve(addr, clerkURL, stub.SecretKey) {
		name, value, _ := strings.Cut(setting, "=")
		b.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve"}, nil, io.Discard, log) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		log.Close()
	})
	if err := load.FirstAnswer(addr, flows.GraphQL{}.Request(flows.Viewer, 0, flows.Session{}), startTimeout); err != nil {
		b.Fatal(err)
	}
	return addr
}
