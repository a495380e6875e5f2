package idempotency

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
	// redisPrefix sets the names apart from those of others. What is in braces has a Redis Cluster keep all in one place, as a claim looks at several.
	redisPrefix = "clerkql:{idempotency}:"
	// redisAnswers has the names of the answers, by when they expire.
	redisAnswers = "clerkql:{idempotency}"
)

var (
	//go:embed claim.lua
	claimScript string
	//go:embed finish.lua
	finishScript string
)

// Redis is a Store in Redis or Valkey. It has room for a number of answers, and forgets the one that expires first. Claims are no more than there are requests that
// run, or did when their process was killed. Each call is one round trip, and atomic. Redis's clock alone counts.
type Redis struct {
	conn          *sharedredis.Conn
	claim, finish *redis.Script
	answers       int
}

// NewRedis returns a Redis over a connection, with room for a number of answers.
func NewRedis(conn *sharedredis.Conn, answers int) *Redis {
	return &Redis{conn: conn, answers: answers, claim: redis.NewScript(claimScript), finish: redis.NewScript(finishScript)}
}

// Claim implements Store. Canceling ctx does not cut it short.
func (r *Redis) Claim(ctx context.Context, names []string, claim string, lease time.Duration) (at int, record string, err error) {
	ctx, cancel := r.conn.Bound(ctx)
	defer cancel()
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = redisPrefix + name
	}
	answer, err := r.claim.Run(ctx, r.conn.Client, keys, claim, lease.Milliseconds()).Slice()
	if err != nil {
		return 0, "", fmt.Errorf("idempotency: redis: %w", err)
	}
	if len(answer) == 2 {
		index, isIndex := answer[0].(int64)
		record, isText := answer[1].(string)
		if isIndex && isText && index >= 0 && index <= int64(len(names)) {
			return int(index) - 1, record, nil
		}
	}
	return 0, "", errors.New("idempotency: redis: the answer is not one of the script's")
}

// Finish implements Store. Canceling ctx does not cut it short.
func (r *Redis) Finish(ctx context.Context, name, claim, record string, keep time.Duration) error {
	return r.end(ctx, name, claim, record, keep.Milliseconds(), r.answers)
}

// Release implements Store. Canceling ctx does not cut it short.
func (r *Redis) Release(ctx context.Context, name, claim string) error {
	return r.end(ctx, name, claim)
}

func (r *Redis) end(ctx context.Context, name string, args ...any) error {
	ctx, cancel := r.conn.Bound(ctx)
	defer cancel()
	if _, err := r.finish.Run(ctx, r.conn.Client, []string{redisPrefix + name, redisAnswers}, args...).Int(); err != nil {
		return fmt.Errorf("idempotency: redis: %w", err)
	}
	return nil
}
