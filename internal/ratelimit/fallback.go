package ratelimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Fallback is a Store that takes from a shared store, and, while that one fails, from a local one. It never fails itself.
//
// After an error it does not ask the shared store for a pause. Then one call tries, while the others stay local, and if that is answered, all
// go back. So an outage costs one call per pause the time that the shared store takes to fail, and it ends by itself.
//
// The local store is charged with what the shared one gives, too. Otherwise everybody would have a new budget in the moment of an
// outage. What other replicas gave is not known here: with n of them, up to n budgets can be spent in an outage. It is not asked
// while the shared one answers, whose decisions it would repeat up to the time that answers travel. Nor is the shared store told what
// was spent in an outage: a key can spend a budget there once more.
type Fallback struct {
	shared, local Store
	pause         time.Duration
	now           func() time.Time
	log           *slog.Logger

	mu      sync.Mutex
	stats   FallbackStats
	since   time.Time // when the outage began
	retryAt time.Time // when the shared store may be tried
}

// FallbackStats is what a Fallback has seen.
type FallbackStats struct {
	// Local: the shared store failed, and has not answered since.
	Local bool
	// Outages is how often it began to fail, and Decisions how many were taken without it.
	Outages, Decisions uint64
}

// NewFallback returns a Fallback that asks shared, and local while shared fails. pause is how long it leaves a shared store alone that has
// failed. now is the clock.
func NewFallback(shared, local Store, pause time.Duration, now func() time.Time, log *slog.Logger) *Fallback {
	return &Fallback{shared: shared, local: local, pause: pause, now: now, log: log}
}

// Stats returns what was seen so far.
func (f *Fallback) Stats() FallbackStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Take implements Store. The only errors are those of charges that are not valid.
func (f *Fallback) Take(ctx context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil {
		return Decision{}, err
	}
	if ask, probe := f.begin(); ask {
		decision, err := f.shared.Take(ctx, charges)
		if err == nil {
			if probe {
				f.recovered(ctx)
			}
			return decision, f.mirror(ctx, charges, decision)
		}
		f.failed(ctx, err)
	}
	return f.local.Take(ctx, charges)
}

// mirror charges the local store with what the shared one gave. It does so one by one, as the local one may lack what somebody else has got.
func (f *Fallback) mirror(ctx context.Context, charges []Charge, given Decision) error {
	if !given.OK {
		return nil
	}
	for i := range charges {
		if _, err := f.local.Take(ctx, charges[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// begin says whether to ask the shared store, and whether that is to try if the outage is over.
func (f *Fallback) begin() (ask, probe bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stats.Local {
		return true, false
	}
	now := f.now()
	if now.Before(f.retryAt) {
		f.stats.Decisions++
		return false, false
	}
	f.retryAt = now.Add(f.pause)
	return true, true
}

// failed notes that the shared store failed. No key is in its errors.
func (f *Fallback) failed(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Decisions++
	if f.stats.Local {
		return
	}
	f.stats.Local = true
	f.stats.Outages++
	f.since = f.now()
	f.retryAt = f.since.Add(f.pause)
	f.log.WarnContext(ctx, "rate limits are local, as the shared store fails", slog.Any("error", err))
}

// recovered notes that the shared store answered the call that tried it. The answers to others do not count: they may be older than its failure.
func (f *Fallback) recovered(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Local = false
	f.log.InfoContext(ctx, "rate limits are shared again", slog.Duration("outage", f.now().Sub(f.since)))
}
