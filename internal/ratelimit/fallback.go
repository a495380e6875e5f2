package ratelimit

import (
	"context"
	"log/slog"
	"time"
)

// Fallback is a Store that takes from a shared store, and, while that one fails, from a local one. It never fails itself.
//
// The local store is charged with what the shared one gives, too. Otherwise everybody would have a new budget in the moment of an
// outage. What other replicas gave is not known here: with n of them, up to n budgets can be spent in an outage. It is not asked
// while the shared one answers, whose decisions it would repeat up to the time that answers travel. Nor is the shared store told what
// was spent in an outage: a key can spend a budget there once more.
type Fallback struct {
	shared, local Store
	outage        *outage
}

// FallbackStats is what a Fallback has seen.
type FallbackStats struct {
	// Local: the shared store failed, and has not answered since.
	Local bool
	// Outages is how often it began to fail, and Calls how many were answered without it.
	Outages, Calls uint64
}

// NewFallback returns a Fallback that asks shared, and local while shared fails. pause is how long it leaves a shared store alone that has
// failed. now is the clock.
func NewFallback(shared, local Store, pause time.Duration, now func() time.Time, log *slog.Logger) *Fallback {
	return &Fallback{shared: shared, local: local, outage: &outage{pause: pause, now: now, log: log}}
}

// Stats returns what was seen so far.
func (f *Fallback) Stats() FallbackStats {
	f.outage.mu.Lock()
	defer f.outage.mu.Unlock()
	return f.outage.stats
}

// Take implements Store. The only errors are those of charges that are not valid.
func (f *Fallback) Take(ctx context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil {
		return Decision{}, err
	}
	var decision Decision
	answered := f.outage.ask(ctx, writes, func() (err error) {
		decision, err = f.shared.Take(ctx, charges)
		return err
	})
	if !answered {
		return f.local.Take(ctx, charges)
	}
	return decision, f.mirror(ctx, charges, decision)
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
