package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Quota shares out the calls that somebody else lets us make in a time, so that they are spent on what matters most and none is made in
// vain. Where a Budget bounds what a client does to us, a Quota bounds what all of us together do to Clerk. It is safe for concurrent use.
//
// The calls of the last period are counted in twentieths of it, so at most 98 % of the limit are given in any period, however they are spread. (A
// bucket that refills would have to be small, or slow, to promise that.) While less than half of them is used, calls are given as they are
// asked for; beyond it, each part gives no more than its even share and what the one before has left of its own, so that a flood is spread over
// the period, and ends when it ends. Deferrable calls get a fifth while less than half is used, and no more than what leaves two fifths to others,
// so that a flood of them shuts nobody out. A twentieth is theirs however much the others take.
type Quota interface {
	// Take takes calls, or says how long to wait at least. A store that is somewhere else also returns an error if it could not be asked.
	Take(ctx context.Context, calls int, class Class) (Grant, error)
	// Return gives back calls of a grant that were not made.
	Return(ctx context.Context, grant Grant, calls int) error
	// Pause gives no calls for a time, of at most a minute: whoever counts them says that there were too many.
	Pause(ctx context.Context, wait time.Duration) error
}

// Class is how much calls matter.
type Class int

const (
	// Deferrable calls get a twentieth of the limit, and a fifth while less than half of it is used. Beyond that, they get half of what two parts
	// give evenly, as far as nobody else has taken it, until three fifths of the limit are used, or a tenth by them.
	Deferrable Class = iota
	// Essential calls get, beyond half of the limit, what each part gives evenly, or one grant if its share is smaller than that.
	Essential
	// Committed calls belong to something that has begun. They are always given, and counted.
	Committed
)

// Grant is what came of a Take.
type Grant struct {
	// OK: they may be made. Otherwise RetryAfter is how long to wait at least.
	OK         bool
	RetryAfter time.Duration

	slot  int64 // the number of the part that they are counted in
	class Class
	// Where a FallbackQuota counts them; shared is nil if that failed.
	shared, local *Grant
}

const (
	// parts is how many parts are counted: those of a whole period, and the one that has begun.
	parts = 20 + 1
	// usedPercent is how much of the limit is given. The rest is for calls that reach Clerk later, or earlier, than they were counted.
	usedPercent = 98
	// maxPause bounds a Pause.
	maxPause = time.Minute
)

// quotaRules says what is given of a limit.
type quotaRules struct {
	most int           // calls in any period
	part time.Duration // of a period
}

func newQuotaRules(limit Budget) (quotaRules, error) {
	rules := quotaRules{most: limit.Count * usedPercent / 100, part: limit.Per / (parts - 1)}
	if err := limit.Validate(); err != nil {
		return rules, err
	}
	if rules.most < parts || rules.part < time.Millisecond {
		return rules, fmt.Errorf("ratelimit: can't share out %d calls in %v", limit.Count, limit.Per)
	}
	return rules, nil
}

// quotaUse is what was taken: of the last period, of it by deferrable calls, of the part that has begun, and of the one before.
type quotaUse struct{ period, deferrable, current, before int }

// gives reports whether a class gets calls when so many are used. quota_take.lua says the same.
func (r quotaRules) gives(calls int, class Class, use quotaUse) bool {
	period, current := use.period+calls, use.current+calls
	switch {
	case class == Committed:
		return true
	case class == Essential && period <= r.most:
		return period <= r.most/2 || use.current == 0 || parts*current <= r.most+max(0, r.most-parts*use.before)
	case class == Deferrable && period <= r.most:
		deferrable := use.deferrable + calls
		return 20*deferrable <= r.most ||
			5*deferrable <= r.most && period <= r.most/2 ||
			parts*(use.before+current) <= r.most && (10*deferrable <= r.most || 5*period <= 3*r.most)
	default:
		return false
	}
}

func (r quotaRules) slot(now time.Time) (slot int64, elapsed time.Duration) {
	micros, part := now.UnixMicro(), r.part.Microseconds()
	return micros / part, time.Duration(micros%part) * time.Microsecond
}

// MemoryQuota is a Quota of this process alone.
type MemoryQuota struct {
	rules quotaRules
	now   func() time.Time

	mu     sync.Mutex
	counts [parts]struct {
		slot              int64
		calls, deferrable int
	}
	pausedUntil time.Time
}

// NewMemoryQuota returns a MemoryQuota of Count calls in any Per.
func NewMemoryQuota(limit Budget, now func() time.Time) (*MemoryQuota, error) {
	rules, err := newQuotaRules(limit)
	return &MemoryQuota{rules: rules, now: now}, err
}

// Take implements Quota. It never fails.
func (q *MemoryQuota) Take(_ context.Context, calls int, class Class) (Grant, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	slot, elapsed := q.rules.slot(now)
	paused := q.pausedUntil.Sub(now)
	switch {
	case paused > 0 && class != Committed:
		return Grant{RetryAfter: paused}, nil
	case !q.rules.gives(calls, class, q.use(slot)):
		return Grant{RetryAfter: q.rules.part - elapsed}, nil
	}
	return q.count(slot, calls, class), nil
}

// use returns what was taken of the period that ends with a part.
func (q *MemoryQuota) use(slot int64) quotaUse {
	var use quotaUse
	for _, count := range q.counts {
		if count.slot > slot-parts && count.slot <= slot {
			use.period += count.calls
			use.deferrable += count.deferrable
		}
		switch count.slot {
		case slot:
			use.current = count.calls
		case slot - 1:
			use.before = count.calls
		}
	}
	return use
}

// count counts calls in a part.
func (q *MemoryQuota) count(slot int64, calls int, class Class) Grant {
	current := &q.counts[slot%parts]
	if current.slot != slot {
		current.slot, current.calls, current.deferrable = slot, 0, 0
	}
	current.calls += calls
	if class == Deferrable {
		current.deferrable += calls
	}
	return Grant{OK: true, slot: slot, class: class}
}

// mirror counts calls that another quota gave.
func (q *MemoryQuota) mirror(calls int, class Class) Grant {
	q.mu.Lock()
	defer q.mu.Unlock()
	slot, _ := q.rules.slot(q.now())
	return q.count(slot, calls, class)
}

// Return implements Quota. It never fails.
func (q *MemoryQuota) Return(_ context.Context, grant Grant, calls int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if count := &q.counts[grant.slot%parts]; count.slot == grant.slot {
		count.calls = max(0, count.calls-calls)
		if grant.class == Deferrable {
			count.deferrable = max(0, count.deferrable-calls)
		}
	}
	return nil
}

// Pause implements Quota. It never fails.
func (q *MemoryQuota) Pause(_ context.Context, wait time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until := q.now().Add(min(wait, maxPause)); until.After(q.pausedUntil) {
		q.pausedUntil = until
	}
	return nil
}
