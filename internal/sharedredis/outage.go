package sharedredis

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Outage knows whether the shared store answers, for all that ask it. It is safe for concurrent use.
//
// After an error nobody asks for a pause. Then one call that writes tries, while the others stay local, and if that is answered, all go back. So an
// outage costs one call per pause the time that the shared store takes to fail, and it ends by itself.
type Outage struct {
	pause time.Duration
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	stats   Stats
	since   time.Time // when the outage began
	retryAt time.Time // when the shared store may be tried
}

// Stats is what an Outage has seen.
type Stats struct {
	// Local: the shared store failed, and has not answered since.
	Local bool
	// Outages is how often it began to fail, and Calls how many were answered without it.
	Outages, Calls uint64
}

// NewOutage returns an Outage that leaves a shared store alone for a pause after it failed. now is the clock.
func NewOutage(pause time.Duration, now func() time.Time, log *slog.Logger) *Outage {
	return &Outage{pause: pause, now: now, log: log}
}

// Stats returns what was seen so far.
func (o *Outage) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}

// Access is what a call does in the shared store.
type Access int

const (
	// Reads does not end an outage: a Redis that is full, or has become a replica, still answers it, and nothing that writes.
	Reads Access = iota
	// Writes ends an outage if it is answered.
	Writes
)

// Ask has call ask the shared store, unless it is away, and says whether it answered. What call returns as an error is logged, and must hold nothing that a
// log must not.
func (o *Outage) Ask(ctx context.Context, does Access, call func() error) bool {
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
func (o *Outage) begin(does Access) (ask, probe bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stats.Local {
		return true, false
	}
	now := o.now()
	if does == Reads || now.Before(o.retryAt) {
		o.stats.Calls++
		return false, false
	}
	o.retryAt = now.Add(o.pause)
	return true, true
}

// failed notes that the shared store failed.
func (o *Outage) failed(ctx context.Context, err error) {
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
	o.log.WarnContext(ctx, "redis is away: rate limits are local, as is all else that replicas share", slog.Any("error", err))
}

// recovered notes that the shared store answered the call that tried it. The answers to others do not count: they may be older than its failure.
func (o *Outage) recovered(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Local = false
	o.log.InfoContext(ctx, "redis is back: rate limits are shared again, as is all else", slog.Duration("outage", o.now().Sub(o.since)),
		slog.Uint64("outages_so_far", o.stats.Outages), slog.Uint64("local_calls_so_far", o.stats.Calls))
}
