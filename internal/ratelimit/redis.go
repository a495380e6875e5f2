package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// redisPrefix sets the keys apart from those of others. What is in braces decides where a Redis Cluster keeps a key: all are in one
	// place, as one call must reach them together, so a cluster limits no faster than one of its nodes.
	redisPrefix = "clerkql:{ratelimit}:"
	// redisMarkPrefix sets the marks apart from the buckets.
	redisMarkPrefix = "clerkql:mark:{ratelimit}:"
	// redisConnections bounds the connections of one process. A call holds one for well under a millisecond.
	redisConnections = 32
)

//go:embed take.lua
var takeScript string

// Redis is a Store in Redis (5 or newer) or Valkey. A Take is one round trip and atomic. Keys expire when their buckets are full, and Redis's
// clock alone counts. Redis should have maxmemory-policy noeviction, as it has by default: a full one is then an outage. With any other it forgets what
// is spent, with volatile-ttl even before marks, which last longer.
type Redis struct {
	client  *redis.Client
	script  *redis.Script
	timeout time.Duration
}

// NewRedis returns a Redis at a URL: redis://, rediss:// (TLS) or unix://. It connects at the first call, which like all others must end
// within timeout. The error does not repeat the URL, which may have a password. go-redis's own logger, of which there is one in a
// process, is switched off: every error is returned. It allocates what the server announces, so the server must be one to trust, and TLS
// be used on a network that is not.
func NewRedis(url string, timeout time.Duration) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("ratelimit: the URL of Redis is not like redis://user:password@host:6379/0")
	}
	logging.Disable()
	options.ContextTimeoutEnabled = true
	options.DialTimeout = timeout // go-redis dials in the background, where no context reaches
	options.PoolSize = redisConnections
	// Nothing is tried twice: what was not answered may have been taken.
	options.MaxRetries, options.DialerRetries = -1, 1
	// Nothing is said to the server that it does not need to know.
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Redis{client: redis.NewClient(options), script: redis.NewScript(takeScript), timeout: timeout}, nil
}

// Close closes the connections.
func (r *Redis) Close() error { return r.client.Close() }

// bound returns the context of one call. Canceling ctx does not cut it short: a client that goes away must not look like a Redis that did.
func (r *Redis) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.timeout)
}

// Take implements Store. Canceling ctx does not cut it short.
func (r *Redis) Take(ctx context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil || len(charges) == 0 {
		return Decision{OK: err == nil}, err
	}
	ctx, cancel := r.bound(ctx)
	defer cancel()
	keys := make([]string, len(charges))
	args := make([]any, 0, 2*len(charges))
	for i, charge := range charges {
		keys[i] = redisKey(charge)
		args = append(args, charge.Budget.interval().Microseconds(), charge.Budget.Count)
	}
	answer, err := r.script.Run(ctx, r.client, keys, args...).Int64Slice()
	if err != nil {
		return Decision{}, fmt.Errorf("ratelimit: redis: %w", err)
	}
	return decide(answer, len(charges))
}

// redisKey returns where the bucket of a charge is. The budget is part of it, so another one after a restart begins full.
func redisKey(charge Charge) string {
	return fmt.Sprintf("%s%s:%d/%v", redisPrefix, charge.Key, charge.Budget.Count, charge.Budget.Per)
}

// decide reads the script's answer to a number of charges.
func decide(answer []int64, charges int) (Decision, error) {
	if len(answer) != 2 || answer[0] < 0 || answer[0] > int64(charges) || answer[1] < 0 || answer[1] > maxPer.Microseconds() || (answer[0] == 0) != (answer[1] == 0) {
		return Decision{}, errors.New("ratelimit: redis: the answer is not one of the script's")
	}
	if answer[0] == 0 {
		return Decision{OK: true}, nil
	}
	return Decision{RetryAfter: time.Duration(answer[1]) * time.Microsecond, Refused: int(answer[0] - 1)}, nil
}
