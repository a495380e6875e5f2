package ratelimit

import (
	"fmt"
	"time"
)

// maxPer keeps all times within what Redis's numbers hold exactly.
const maxPer = 365 * 24 * time.Hour

// Budget gives Count at once, and refills evenly, with Count over Per.
type Budget struct {
	Count int
	Per   time.Duration
}

// Validate returns an error unless there is at least 1 in a budget, it refills within a year, and with no more than one per microsecond.
func (b Budget) Validate() error {
	if b.Count < 1 || b.Per > maxPer || b.Per/time.Microsecond < time.Duration(b.Count) {
		return fmt.Errorf("ratelimit: can't give %d per %v", b.Count, b.Per)
	}
	return nil
}

// interval is the time in which one is refilled, in whole microseconds, rounded up: all stores count with the same, and it is never more
// than the budget says.
func (b Budget) interval() time.Duration {
	step := int64(b.Count) * int64(time.Microsecond) // what a microsecond of it adds to the period
	return time.Duration((int64(b.Per)+step-1)/step) * time.Microsecond
}

// spend takes one at the time now from a bucket that is full at the time full. It returns when the bucket would then be full, or how long it
// refuses. A bucket is described by that time alone: one that was full in the past is full.
func (b Budget) spend(full, now time.Duration) (next, wait time.Duration) {
	next = max(full, now) + b.interval()
	return next, max(0, next-now-b.interval()*time.Duration(b.Count))
}
