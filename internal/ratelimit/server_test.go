package ratelimit_test

import (
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
)

// connect returns a client of its own for a server.
func connect(t testing.TB, server *redistest.Server, timeout time.Duration) *ratelimit.Redis {
	t.Helper()
	r, err := ratelimit.NewRedis("redis://"+server.Address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}
