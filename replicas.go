package main

import (
	"log/slog"
	"time"

	"clerkql/internal/secret"
	"clerkql/internal/sharedredis"
)

const (
	// redisTimeout bounds a call to Redis, and redisPause is how long Redis is left alone after one that failed.
	redisTimeout = 100 * time.Millisecond
	redisPause   = time.Second
)

// replicas is where replicas share what one of them alone can't know. The zero value is a process that shares nothing.
type replicas struct {
	conn   *sharedredis.Conn
	outage *sharedredis.Outage
}

// joinReplicas returns replicas that share the Redis at a URL, or nothing if there is none.
func joinReplicas(url secret.String, log *slog.Logger) (replicas, error) {
	if url.Reveal() == "" {
		return replicas{}, nil
	}
	conn, err := sharedredis.Connect(url.Reveal(), redisTimeout)
	if err != nil {
		return replicas{}, err
	}
	return replicas{conn, sharedredis.NewOutage(redisPause, time.Now, log)}, nil
}

// close closes the connections.
func (r replicas) close() error {
	if r.conn == nil {
		return nil
	}
	return r.conn.Close()
}
