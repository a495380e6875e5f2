package main

import (
	"log/slog"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/config"
	"clerkql/internal/ratelimit"
)

const (
	// limitKeys is how many budgets are kept in memory, which takes about 40 MB.
	limitKeys = 100_000
	// knownKeys is how many clients are known in memory, which takes about 10 MB, and knownLife is for how long.
	knownKeys = 50_000
	knownLife = 30 * 24 * time.Hour
	// redisTimeout bounds a call to Redis, and redisPause is how long Redis is left alone after one that failed.
	redisTimeout = 100 * time.Millisecond
	redisPause   = time.Second
)

// newLimits returns the rate limits, and what closes them.
func newLimits(cfg config.Limits, log *slog.Logger) (limits *clerksvc.Limits, closeStore func() error, err error) {
	memory, err := ratelimit.NewMemory(limitKeys, time.Now)
	if err != nil {
		return nil, nil, err
	}
	marks, err := ratelimit.NewMemoryMarks(knownKeys, knownLife, time.Now)
	if err != nil {
		return nil, nil, err
	}
	var (
		store ratelimit.Store = memory
		known ratelimit.Marks = marks
	)
	closeStore = func() error { return nil }
	if url := cfg.RedisURL.Reveal(); url != "" {
		redis, err := ratelimit.NewRedis(url, redisTimeout)
		if err != nil {
			return nil, nil, err
		}
		fallback := ratelimit.NewFallback(redis, memory, redisPause, time.Now, log)
		store, known, closeStore = fallback, fallback.Marks(redis.Marks(knownLife), marks), redis.Close
	}
	return &clerksvc.Limits{
		Store: store, Known: known,
		PerIP:                budget(cfg.LimitRequestsPerIP),
		PerSession:           budget(cfg.LimitRequestsPerSession),
		SignInsPerIP:         budget(cfg.LimitSignInsPerIP),
		SignInsPerIdentifier: budget(cfg.LimitSignInsPerAddress),
		SignUpsPerIP:         budget(cfg.LimitSignUpsPerIP),
		MailsPerIP:           budget(cfg.LimitMailsPerIP),
		MailsPerAddress:      [2]ratelimit.Budget{budget(cfg.LimitMailPause), budget(cfg.LimitMailsPerAddress)},
		Mails:                budget(cfg.LimitMails),
		CodesPerHandle:       budget(cfg.LimitCodesPerHandle),
	}, closeStore, nil
}

func budget(b config.Budget) ratelimit.Budget { return ratelimit.Budget{Count: b.Count, Per: b.Per} }
