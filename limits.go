package main

import (
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
)

// counts is what is counted of what clients and this server do, in this process or shared among replicas.
type counts struct {
	limits *clerksvc.Limits // nil: clients have none
	quota  ratelimit.Quota
}

// newCounts returns the counts for the limits of clients, if there are any, and for how often Clerk may be called.
func newCounts(cfg *config.Limits, clerk config.Clerk, rate config.Budget, redis replicas) (*counts, error) {
	quota, err := ratelimit.NewMemoryQuota(budget(rate), time.Now)
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return &counts{quota: quota}, nil
	}
	memory, err := ratelimit.NewMemory(limitKeys, time.Now)
	if err != nil {
		return nil, err
	}
	marks, err := ratelimit.NewMemoryMarks(knownKeys, knownLife, time.Now)
	if err != nil {
		return nil, err
	}
	if redis.conn == nil {
		return &counts{limits: newLimits(*cfg, memory, marks), quota: quota}, nil
	}
	store := ratelimit.NewRedis(redis.conn)
	instance, err := instanceID(clerk)
	if err != nil {
		return nil, err
	}
	shared, err := store.Quota(instance, budget(rate))
	if err != nil {
		return nil, err
	}
	fallback := ratelimit.NewFallback(store, memory, redis.outage)
	return &counts{
		limits: newLimits(*cfg, fallback, fallback.Marks(store.Marks(knownLife), marks)),
		quota:  fallback.Quota(shared, quota),
	}, nil
}

func newLimits(cfg config.Limits, store ratelimit.Store, known ratelimit.Marks) *clerksvc.Limits {
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
	}
}

func budget(b config.Budget) ratelimit.Budget { return ratelimit.Budget{Count: b.Count, Per: b.Per} }
