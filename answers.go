package main

import (
	"log/slog"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/idempotency"
	"clerkql/internal/ratelimit"
)

const (
	// answerRecords and answerBytes are how many answers are kept in memory for those who ask once more. Most take about 2 KB.
	answerRecords = 10_000
	answerBytes   = 16 << 20
	// sharedAnswers is how many are kept in Redis: more than the calls that Clerk takes in the ten minutes that they are kept, some 200 MB.
	sharedAnswers = 100_000
	// leaseMargin is how much longer than a mutation a claim lasts: cleaning up after one that failed takes up to 5 seconds.
	leaseMargin = 10 * time.Second
)

// newAnswers returns what keeps the answers to mutations that have an Idempotency-Key.
func newAnswers(a api, redis replicas, limits *clerksvc.Limits, log *slog.Logger) (*idempotency.Keeper, error) {
	memory, err := idempotency.NewMemory(answerRecords, answerBytes, time.Now)
	if err != nil {
		return nil, err
	}
	var store idempotency.Store = memory
	if redis.conn != nil {
		store = idempotency.NewFallback(idempotency.NewRedis(redis.conn, sharedAnswers), memory, redis.outage)
	}
	var limiter ratelimit.Store
	if limits != nil {
		limiter = limits.Store
	}
	return idempotency.NewKeeper(idempotency.Options{
		Keys: a.handleKeys, Store: store, Limiter: limiter, Logger: log,
		Lease: a.flows.MutationTimeout + leaseMargin,
	})
}
