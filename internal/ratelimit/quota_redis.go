package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/internal/sharedredis"
)

var (
	//go:embed quota_take.lua
	quotaTakeScript string
	//go:embed quota_return.lua
	quotaReturnScript string
	//go:embed quota_pause.lua
	quotaPauseScript string
)

// RedisQuota is a Quota that replicas share, in Redis. Each call is one round trip and atomic, and Redis's clock alone counts.
type RedisQuota struct {
	redis               *Redis
	rules               quotaRules
	key                 string
	take, give, setBack *redis.Script
}

// Quota returns a RedisQuota of Count calls in any Per, of a day at most. It uses the connections of r. Of whom the calls are asked is part of its
// key, so that two can be called by those who share a Redis.
func (r *Redis) Quota(of string, limit Budget) (*RedisQuota, error) {
	rules, err := newQuotaRules(limit)
	return &RedisQuota{
		redis: r,
		rules: rules,
		// The limit is part of it, so another one after a restart begins anew.
		key:     fmt.Sprintf("clerkql:quota:{ratelimit}:%s:%d/%v", of, limit.Count, limit.Per),
		take:    redis.NewScript(quotaTakeScript),
		give:    redis.NewScript(quotaReturnScript),
		setBack: redis.NewScript(quotaPauseScript),
	}, err
}

// Take implements Quota. Canceling ctx does not cut it short.
func (q *RedisQuota) Take(ctx context.Context, calls int, class Class) (Grant, error) {
	answer, err := q.run(ctx, q.take, calls, int(class), q.rules.most, q.rules.part.Microseconds()).Int64Slice()
	if err != nil {
		return Grant{}, fmt.Errorf("ratelimit: redis: %w", err)
	}
	if len(answer) != 2 || answer[1] < 0 || answer[0] == 0 && answer[1] > max(maxPause, q.rules.part).Microseconds() {
		return Grant{}, errors.New("ratelimit: redis: the answer is not one of the quota's script")
	}
	if answer[0] == 0 {
		return Grant{RetryAfter: time.Duration(answer[1]) * time.Microsecond}, nil
	}
	return Grant{OK: true, slot: answer[1], class: class}, nil
}

// Return implements Quota. Canceling ctx does not cut it short.
func (q *RedisQuota) Return(ctx context.Context, grant Grant, calls int) error {
	args := []any{calls, grant.slot}
	if grant.class == Deferrable {
		args = append(args, fmt.Sprintf("d%d", grant.slot))
	}
	return q.done(q.run(ctx, q.give, args...))
}

// Pause implements Quota. Canceling ctx does not cut it short.
func (q *RedisQuota) Pause(ctx context.Context, wait time.Duration) error {
	return q.done(q.run(ctx, q.setBack, min(wait, maxPause).Microseconds()))
}

func (q *RedisQuota) run(ctx context.Context, script *redis.Script, args ...any) *redis.Cmd {
	ctx, cancel := q.redis.conn.Bound(ctx)
	defer cancel()
	return script.Run(ctx, q.redis.conn.Client, []string{q.key}, args...)
}

func (q *RedisQuota) done(answer *redis.Cmd) error {
	if err := answer.Err(); err != nil {
		return fmt.Errorf("ratelimit: redis: %w", err)
	}
	return nil
}

// FallbackQuota is a Quota that replicas share, and, while that one fails, one of each of them: then n of them may make n times the calls,
// and whoever counts them has to say so.
type FallbackQuota struct {
	shared Quota
	local  *MemoryQuota
	outage *sharedredis.Outage
}

// Quota returns a FallbackQuota that uses shared, which must be where the shared store of f is, and local. An outage of one is one of both.
func (f *Fallback) Quota(shared Quota, local *MemoryQuota) *FallbackQuota {
	return &FallbackQuota{shared: shared, local: local, outage: f.outage}
}

// Take implements Quota. It never fails. What the shared quota gives is counted in the local one too, so that there is not a whole new one in
// the moment of an outage.
func (q *FallbackQuota) Take(ctx context.Context, calls int, class Class) (Grant, error) {
	var grant Grant
	answered := q.outage.Ask(ctx, sharedredis.Writes, func() (err error) {
		grant, err = q.shared.Take(ctx, calls, class)
		return err
	})
	switch {
	case !answered:
		local, err := q.local.Take(ctx, calls, class)
		return Grant{OK: local.OK, RetryAfter: local.RetryAfter, local: &local}, err
	case grant.OK:
		local := q.local.mirror(calls, class)
		return Grant{OK: true, shared: &grant, local: &local}, nil
	default:
		return grant, nil
	}
}

// Return implements Quota. It never fails.
func (q *FallbackQuota) Return(ctx context.Context, grant Grant, calls int) error {
	if grant.shared != nil {
		q.outage.Ask(ctx, sharedredis.Writes, func() error { return q.shared.Return(ctx, *grant.shared, calls) })
	}
	if grant.local != nil {
		return q.local.Return(ctx, *grant.local, calls)
	}
	return nil
}

// Pause implements Quota. It never fails.
func (q *FallbackQuota) Pause(ctx context.Context, wait time.Duration) error {
	q.outage.Ask(ctx, sharedredis.Writes, func() error { return q.shared.Pause(ctx, wait) })
	return q.local.Pause(ctx, wait)
}
