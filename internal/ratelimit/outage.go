package ratelimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// outage knows whether the shared store answers, for all that ask it.
//
// After an error nobody asks for a pause. Then one call that writes tries, while the others stay local, and if that is answered, all go back. So an
// outage costs one call per pause the time that the shared store takes to fail, and it ends by itself.
type outage struct {
	pause time.Duration
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	stats   FallbackStats
	since   time.Time // when the outage began
	retryAt time.Time // when the shared store may be tried
}

// access is what a call does in the shared store.
type access int

const (
	// reads does not end an outage: a Redis that is full, or has become a replica, still answers it, and nothing that writes.
	reads access = iota
	writes
)

// ask has call ask the shared store, unless it is away, and says whether it answered.
func (o *outage) ask(ctx context.Context, does access, call func() error) bool {
	ask, probe := o.begin(does)
	if !ask {
		return false
	}
	if err := call(); err != nil {
		o.failed(ctx, err)
		return false
	}
	if probe {
		o.recovered(ctx)
	}
	return true
}

// begin says whether to ask the shared store, and whether that is to try if the outage is over.
func (o *outage) begin(does access) (ask, probe bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stats.Local {
		return true, false
	}
	now := o.now()
	if does == reads || now.Before(o.retryAt) {
		o.stats.Calls++
		return false, false
	}
	o.retryAt = now.Add(o.pause)
	return true, true
}

// failed notes that the shared store failed. No key is in its errors.
func (o *outage) failed(ctx context.Context, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Calls++
	if o.stats.Local {
		return
	}
	o.stats.Local = true
	o.stats.Outages++
	o.since = o.now()
	o.retryAt = o.since.Add(o.pause)
	o.log.WarnContext(ctx, "rate limits are local, as the shared store fails", slog.Any("error", err))
}

// recovered notes that the shared store answered the call that tried it. The answers to others do not count: they may be older than its failure.
func (o *outage) recovered(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Local = false
	o.log.InfoContext(ctx, "rate limits are shared again", slog.Duration("outage", o.now().Sub(o.since)),
		slog.Uint64("outages_so_far", o.stats.Outages), slog.Uint64("local_calls_so_far", o.stats.Calls))
}
