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

const (
	// redisPrefix sets the keys apart from those of others. What is in braces decides where a Redis Cluster keeps a key: all are in one
	// place, as one call must reach them together, so a cluster limits no faster than one of its nodes.
	redisPrefix = "clerkql:{ratelimit}:"
	// redisMarkPrefix sets the marks apart from the buckets.
	redisMarkPrefix = "clerkql:mark:{ratelimit}:"
)

//go:embed take.lua
var takeScript string

// Redis is a Store in Redis or Valkey. A Take is one round trip and atomic. Keys expire when their buckets are full, and Redis's
// clock alone counts. Redis should have maxmemory-policy noeviction, as it has by default: a full one is then an outage. With any other it forgets what
// is spent, with volatile-ttl even before marks, which last longer.
type Redis struct {
	conn   *sharedredis.Conn
	script *redis.Script
}

// NewRedis returns a Redis over a connection.
func NewRedis(conn *sharedredis.Conn) *Redis {
	return &Redis{conn: conn, script: redis.NewScript(takeScript)}
}

// Take implements Store. Canceling ctx does not cut it short.
func (r *Redis) Take(ctx context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil || len(charges) == 0 {
		return Decision{OK: err == nil}, err
	}
	ctx, cancel := r.conn.Bound(ctx)
	defer cancel()
	keys := make([]string, len(charges))
	args := make([]any, 0, 2*len(charges))
	for i, charge := range charges {
		keys[i] = redisKey(charge)
		args = append(args, charge.Budget.interval().Microseconds(), charge.Budget.Count)
	}
	answer, err := r.script.Run(ctx, r.conn.Client, keys, args...).Int64Slice()
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
