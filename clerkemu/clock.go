package clerkemu

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxClockOffset bounds how far FastForward can move the clock in all, so that
// no date ever overflows.
const maxClockOffset = 10 * 365 * 24 * time.Hour

// clock is the time of the instance: the injected clock plus what
// FastForward has added.
type clock struct {
	now    func() time.Time
	offset atomic.Int64
}

func (c *clock) Now() time.Time { return c.now().Add(time.Duration(c.offset.Load())) }

// advance moves the clock by d, or leaves it where it is and fails when that
// would take it farther than maxClockOffset from the injected clock.
func (c *clock) advance(d time.Duration) error {
	for {
		before := c.offset.Load()
		// A sum that overflows comes out far beyond the bound, too.
		if (time.Duration(before) + d).Abs() > maxClockOffset {
			return fmt.Errorf("clerkemu: the clock can be moved by ten years in all: it is %s ahead, and %s more is too much",
				time.Duration(before), d)
		}
		if c.offset.CompareAndSwap(before, before+int64(d)) {
			return nil
		}
	}
}
