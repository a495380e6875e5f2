package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/config"
	"clerkql/internal/ratelimit"
)

const (
	// limitKeys is how many budgets are kept in memory, which takes about 40 MB.
	limitKeys = 100_000
	// redisTimeout bounds a call to Redis, and redisPause is how long Redis is left alone after one that failed.
	redisTimeout = 100 * time.Millisecond
	redisPause   = time.Second
)

// newLimits returns the rate limits, and what closes them.
func newLimits(cfg config.Limits, handleKey []byte, log *slog.Logger) (limits *clerksvc.Limits, closeStore func() error, err error) {
	secret, err := hkdf.Expand(sha256.New, handleKey, "clerkql: keys of rate limits", ratelimit.KeyBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("keys of rate limits: %w", err)
	}
	keys, err := ratelimit.NewKeys(secret)
	if err != nil {
		return nil, nil, err
	}
	memory, err := ratelimit.NewMemory(limitKeys, time.Now)
	if err != nil {
		return nil, nil, err
	}
	var store ratelimit.Store = memory
	closeStore = func() error { return nil }
	if url := cfg.RedisURL.Reveal(); url != "" {
		redis, err := ratelimit.NewRedis(url, redisTimeout)
		if err != nil {
			return nil, nil, err
		}
		store, closeStore = ratelimit.NewFallback(redis, memory, redisPause, time.Now, log), redis.Close
	}
	return &clerksvc.Limits{
		Store: store, Keys: keys,
		PerIP:                budget(cfg.LimitRequestsPerIP),
		SignInsPerIP:         budget(cfg.LimitSignInsPerIP),
		SignInsPerIdentifier: budget(cfg.LimitSignInsPerAddress),
		SignUpsPerIP:         budget(cfg.LimitSignUpsPerIP),
		MailsPerAddress:      [2]ratelimit.Budget{budget(cfg.LimitMailPause), budget(cfg.LimitMailsPerAddress)},
		Mails:                budget(cfg.LimitMails),
		CodesPerHandle:       budget(cfg.LimitCodesPerHandle),
	}, closeStore, nil
}

func budget(b config.Budget) ratelimit.Budget { return ratelimit.Budget{Count: b.Count, Per: b.Per} }
