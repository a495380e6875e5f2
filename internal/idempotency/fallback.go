package idempotency

import (
	"context"
	"time"

	"clerkql/internal/sharedredis"
)

// Fallback is a Store that keeps what this process does in a local store, and shares it in a shared one while that answers. It never fails itself. In an
// outage, a replica does not know what another one runs, or answered: a request that is sent again to another replica runs again.
type Fallback struct {
	shared, local Store
	outage        *sharedredis.Outage
}

// NewFallback returns a Fallback. All that asks where shared is should go by the same Outage.
func NewFallback(shared, local Store, outage *sharedredis.Outage) *Fallback {
	return &Fallback{shared: shared, local: local, outage: outage}
}

// Claim implements Store. What is claimed here is claimed in the local store first, which knows what the shared one may have lost.
func (f *Fallback) Claim(ctx context.Context, names []string, claim string, lease time.Duration) (at int, record string, err error) {
	if at, record, err = f.local.Claim(ctx, names, claim, lease); err != nil || at >= 0 {
		return at, record, err
	}
	answered := f.outage.Ask(ctx, sharedredis.Writes, func() (err error) {
		at, record, err = f.shared.Claim(ctx, names, claim, lease)
		return err
	})
	if !answered {
		return -1, "", nil
	}
	if at >= 0 {
		err = f.local.Release(ctx, names[0], claim)
	}
	return at, record, err
}

// Finish implements Store.
func (f *Fallback) Finish(ctx context.Context, name, claim, record string, keep time.Duration) error {
	f.outage.Ask(ctx, sharedredis.Writes, func() error { return f.shared.Finish(ctx, name, claim, record, keep) })
	return f.local.Finish(ctx, name, claim, record, keep)
}

// Release implements Store.
func (f *Fallback) Release(ctx context.Context, name, claim string) error {
	f.outage.Ask(ctx, sharedredis.Writes, func() error { return f.shared.Release(ctx, name, claim) })
	return f.local.Release(ctx, name, claim)
}
