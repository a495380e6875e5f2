package persisted

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
	// redisDocuments and redisOrder have the documents, and when each came. What is in braces has a Redis Cluster keep both in one place.
	redisDocuments = "clerkql:{documents}"
	redisOrder     = "clerkql:{documents}:order"
	// redisLife is how long the documents are kept after the last one came.
	redisLife = 24 * time.Hour
)

//go:embed put.lua
var putScript string

// Redis is a Store in Redis or Valkey. It keeps no more than a number of documents, and forgets the one that came the longest ago. Each call is one round
// trip, and atomic.
type Redis struct {
	conn      *sharedredis.Conn
	put       *redis.Script
	documents int
}

// NewRedis returns a Redis over a connection, with room for a number of documents.
func NewRedis(conn *sharedredis.Conn, documents int) *Redis {
	return &Redis{conn: conn, put: redis.NewScript(putScript), documents: documents}
}

// Get implements Store. What is not the document of its hash is none: others may write there too. Canceling ctx does not cut it short.
func (r *Redis) Get(ctx context.Context, hash string) (string, error) {
	ctx, cancel := r.conn.Bound(ctx)
	defer cancel()
	document, err := r.conn.Client.HGet(ctx, redisDocuments, hash).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("persisted: redis: %w", err)
	}
	if Hash(document) != hash {
		return "", nil
	}
	return document, nil
}

// Put implements Store. Canceling ctx does not cut it short.
func (r *Redis) Put(ctx context.Context, document string) error {
	if len(document) > MaxDocumentBytes {
		return nil
	}
	ctx, cancel := r.conn.Bound(ctx)
	defer cancel()
	err := r.put.Run(ctx, r.conn.Client, []string{redisDocuments, redisOrder}, Hash(document), document, r.documents, redisLife.Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("persisted: redis: %w", err)
	}
	return nil
}
