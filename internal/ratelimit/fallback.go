package ratelimit

import (
	"context"

	"clerkql/internal/sharedredis"
)

// Fallback is a Store that takes from a shared store, and, while that one fails, from a local one. It never fails itself.
//
// The local store is charged with what the shared one gives, too. Otherwise everybody would have a new budget in the moment of an
// outage. What other replicas gave is not known here: with n of them, up to n budgets can be spent in an outage. It is not asked
// while the shared one answers, whose decisions it would repeat up to the time that answers travel. Nor is the shared store told what
// was spent in an outage: a key can spend a budget there once more.
type Fallback struct {
	shared, local Store
	outage        *sharedredis.Outage
}

// NewFallback returns a Fallback that asks shared, and local in an outage. All that asks where shared is should go by the same Outage.
func NewFallback(shared, local Store, outage *sharedredis.Outage) *Fallback {
	return &Fallback{shared: shared, local: local, outage: outage}
}

// Stats returns what was seen so far.
func (f *Fallback) Stats() sharedredis.Stats { return f.outage.Stats() }

// Take implements Store. The only errors are those of charges that are not valid.
func (f *Fallback) Take(ctx context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil {
		return Decision{}, err
	}
	var decision Decision
	answered := f.outage.Ask(ctx, sharedredis.Writes, func() (err error) {
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
