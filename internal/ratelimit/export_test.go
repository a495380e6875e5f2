package ratelimit

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// What tests need to see, and users do not.

// Len returns how many keys are kept.
func (m *Memory) Len() int { return len(m.buckets) }

// Len returns how many keys are kept.
func (m *MemoryMarks) Len() int { return m.marked.Len() }

// Client returns the client of r.
func (r *Redis) Client() *redis.Client { return r.conn.Client }

// RedisKey is where the bucket of a charge is.
func RedisKey(charge Charge) string { return redisKey(charge) }

// The keys that hold the time, in seconds and in microseconds, for a Redis whose clock was faked.
const (
	ClockSeconds = "clock:seconds"
	ClockMicros  = "clock:microseconds"
)

// FakeClock has the script read the time from keys, so that tests can tell to the microsecond what it does.
func (r *Redis) FakeClock(t testing.TB) { r.script = fakeClock(t, takeScript) }

// FakeClock has the scripts read the time from keys.
func (q *RedisQuota) FakeClock(t testing.TB) {
	q.take, q.setBack = fakeClock(t, quotaTakeScript), fakeClock(t, quotaPauseScript)
}

func fakeClock(t testing.TB, script string) *redis.Script {
	const clock = "redis.call('TIME')"
	if strings.Count(script, clock) != 1 {
		t.Fatalf("the script does not read the clock with one %s", clock)
	}
	return redis.NewScript(strings.Replace(script, clock, "redis.call('MGET', '"+ClockSeconds+"', '"+ClockMicros+"')", 1))
}
