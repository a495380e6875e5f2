package ratelimit_test

import (
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

// connect returns a client of its own for a server.
func connect(t testing.TB, server *redistest.Server, timeout time.Duration) *ratelimit.Redis {
	t.Helper()
	return connectTo(t, server.Address, timeout)
}

func connectTo(t testing.TB, address string, timeout time.Duration) *ratelimit.Redis {
	t.Helper()
	conn, err := sharedredis.Connect("redis://"+address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return ratelimit.NewRedis(conn)
}

// outage has a Redis killed, away for a while, and restarted with nothing in it, and waits until f shares it again. It returns when it was killed, when it
// was restarted, and when it was shared.
func outage(t *testing.T, f *ratelimit.Fallback, server *redistest.Server) (killed, restarted, shared time.Time) {
	t.Helper()
	server.Kill()
	killed = time.Now()
	time.Sleep(2500 * time.Millisecond)
	if !f.Stats().Local {
		t.Error("nobody noticed that Redis is gone")
	}
	restarted = time.Now()
	server.Restart()
	for f.Stats().Local {
		if time.Since(restarted) > 10*time.Second {
			t.Fatal("still local, 10 seconds after Redis is back")
		}
		time.Sleep(time.Millisecond)
	}
	return killed, restarted, time.Now()
}
