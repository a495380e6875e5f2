package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"clerkql/internal/sharedredis"
)

// Marks remember keys, each for a time that is the same for all. They are safe for concurrent use.
type Marks interface {
	// Mark remembers a key, from now on. It is an error if it is empty or longer than 64 bytes. Marks that are somewhere else also return
	// an error if they could not be asked, and then may remember the key or not.
	Mark(ctx context.Context, key string) error
	// Marked says whether a key is remembered. Its errors are those of Mark.
	Marked(ctx context.Context, key string) (bool, error)
}

// MemoryMarks are Marks in this process. They keep no more than a number of keys, at up to 240 bytes each, and forget the one that was
// marked, or asked for, the longest ago.
type MemoryMarks struct {
	now  func() time.Time
	life time.Duration
	// marked has when each key was marked. The lru's own expiry goes by a clock that tests can't set, and never stops its goroutine.
	marked *lru.Cache[string, time.Time]
}

// NewMemoryMarks returns MemoryMarks with room for a number of keys, which remember each for its life. It is an error if there is room for
// less than 1. now is the clock.
func NewMemoryMarks(keys int, life time.Duration, now func() time.Time) (*MemoryMarks, error) {
	marked, err := lru.New[string, time.Time](keys)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: need room for at least 1 key, got %d", keys)
	}
	return &MemoryMarks{now: now, life: life, marked: marked}, nil
}

// Mark implements Marks.
func (m *MemoryMarks) Mark(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	m.marked.Add(key, m.now())
	return nil
}

// Marked implements Marks.
func (m *MemoryMarks) Marked(_ context.Context, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	at, ok := m.marked.Get(key)
	return ok && m.now().Sub(at) < m.life, nil
}

// RedisMarks are Marks in Redis, which keeps each, at about 180 bytes, until its life ends. Each call is one round trip, and Redis's clock alone
// counts.
type RedisMarks struct {
	redis *Redis
	life  time.Duration
}

// Marks returns RedisMarks that remember a key for its life, and use the connections of r.
func (r *Redis) Marks(life time.Duration) *RedisMarks { return &RedisMarks{redis: r, life: life} }

// Mark implements Marks. Canceling ctx does not cut it short.
func (m *RedisMarks) Mark(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := m.redis.conn.Bound(ctx)
	defer cancel()
	answer, err := m.redis.conn.Client.Set(ctx, redisMarkPrefix+key, "", m.life).Result()
	if err != nil {
		return fmt.Errorf("ratelimit: redis: %w", err)
	}
	if answer != "OK" {
		return errors.New("ratelimit: redis: the answer is not one to SET")
	}
	return nil
}

// Marked implements Marks. Canceling ctx does not cut it short.
func (m *RedisMarks) Marked(ctx context.Context, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	ctx, cancel := m.redis.conn.Bound(ctx)
	defer cancel()
	answer, err := m.redis.conn.Client.Exists(ctx, redisMarkPrefix+key).Result()
	if err != nil {
		return false, fmt.Errorf("ratelimit: redis: %w", err)
	}
	if answer != 0 && answer != 1 {
		return false, errors.New("ratelimit: redis: the answer is not one to EXISTS")
	}
	return answer == 1, nil
}

// FallbackMarks are Marks that are kept both in shared ones and in local ones, so they never fail. In an outage, what other replicas marked is
// not known here. After it, what was marked here in it is not known to them, until it is marked again.
type FallbackMarks struct {
	shared, local Marks
	outage        *sharedredis.Outage
}

// Marks returns FallbackMarks that use shared, which must be where the shared store of f is, and local. An outage of one is one of
// both, so that only one call per pause waits for them.
func (f *Fallback) Marks(shared, local Marks) *FallbackMarks {
	return &FallbackMarks{shared: shared, local: local, outage: f.outage}
}

// Mark implements Marks. The only errors are those of keys that are not valid.
func (m *FallbackMarks) Mark(ctx context.Context, key string) error {
	if err := m.local.Mark(ctx, key); err != nil {
		return err
	}
	m.outage.Ask(ctx, sharedredis.Writes, func() error { return m.shared.Mark(ctx, key) })
	return nil
}

// Marked implements Marks. The only errors are those of keys that are not valid. A shared store that says no may have lost what it
// had, or not have been there when the key was marked, so the local one is asked then, too.
func (m *FallbackMarks) Marked(ctx context.Context, key string) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	var marked bool
	m.outage.Ask(ctx, sharedredis.Reads, func() (err error) {
		marked, err = m.shared.Marked(ctx, key)
		return err
	})
	if marked {
		return true, nil
	}
	return m.local.Marked(ctx, key)
}
