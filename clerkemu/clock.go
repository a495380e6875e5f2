package clerkemu

import (
	"sync/atomic"
	"time"
)

// clock is the time of the instance: the injected clock plus what
// FastForward has added.
type clock struct {
	now    func() time.Time
	offset atomic.Int64
}

func (c *clock) Now() time.Time { return c.now().Add(time.Duration(c.offset.Load())) }

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }
