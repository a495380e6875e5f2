package clerksvc

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// paceSamples is how many of the latest durations a pace is learned from.
	paceSamples = 256
	// paceQuantile is the share of them that a pace is no shorter than. The rest takes longer than it is held back for, and can be told
	// from others by that.
	paceQuantile = 0.99
	// maxPace bounds how long an answer is held back, whatever was learned.
	maxPace = 2 * time.Second
)

// pace is how long the answers of a class take that must not be told apart by the time that they take (rule 3). What an existing
// account is answered needs calls to Clerk that an absent one does not, or longer ones: Clerk compares a password, or sends a mail. An
// answer can't run ahead of its calls, so those that have none are held back, to the time that the real ones take, which is learned from
// them. Each process learns for itself. No pace is shorter than a least time, lest it be learned while Clerk is quick and told by when it is not.
type pace struct {
	least time.Duration

	mu      sync.Mutex
	learned time.Duration
	samples []time.Duration // the latest, in a ring
	next    int
}

// newPace returns a pace of a least time, until it has learned that it takes longer.
func newPace(least time.Duration) *pace { return &pace{least: min(least, maxPace)} }

// hold waits until an answer that began to be made at a time may be given, or until ctx ends. It has made its calls, so others may make theirs.
func (p *pace) hold(ctx context.Context, began time.Time) {
	if a := admissionOf(ctx); a != nil {
		a.leave(ctx)
	}
	wait := time.NewTimer(p.current() - time.Since(began))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

func (p *pace) current() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.least, p.learned)
}

// learn notes how long a real answer took to be made.
func (p *pace) learn(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.samples) < paceSamples {
		p.samples = append(p.samples, took)
	} else {
		p.samples[p.next] = took
		p.next = (p.next + 1) % paceSamples
	}
	sorted := slices.Sorted(slices.Values(p.samples))
	p.learned = min(sorted[int(float64(len(sorted)-1)*paceQuantile+0.5)], maxPace)
}
