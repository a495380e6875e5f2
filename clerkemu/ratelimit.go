package clerkemu

import (
	"net/netip"
	"sync"
	"time"
)

// rateWindow is the length of every rate limit window that Clerk publishes.
const rateWindow = 10 * time.Second

// metadataRateLimit is how often UpdateUserMetadata serves one user in a
// window.
const metadataRateLimit = 10

// window counts the calls of a fixed window of time. That the window is fixed
// and not sliding is inferred [I].
type window struct {
	start time.Time
	count int
}

// take counts a call, or tells how long to wait for the next window.
func (w *window) take(now time.Time, limit int) (wait time.Duration, ok bool) {
	if elapsed := now.Sub(w.start); elapsed >= rateWindow || elapsed < 0 {
		w.start, w.count = now, 0
	}
	if w.count >= limit {
		return rateWindow - now.Sub(w.start), false
	}
	w.count++
	return 0, true
}

// limiter is the rate limit of the Backend API. A negative limit is none.
type limiter struct {
	limit int

	mu     sync.Mutex
	window window
}

func (l *limiter) check(now time.Time) error {
	if l.limit < 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait, ok := l.window.take(now, l.limit); !ok {
		return errTooMany(wait)
	}
	return nil
}

// maxLimitedIPs bounds the addresses that an ipLimiter remembers.
const maxLimitedIPs = 10_000

// ipLimiter is a rate limit for each IP address. A negative limit is none.
type ipLimiter struct {
	limit int

	mu      sync.Mutex
	windows map[netip.Addr]*window
}

func (l *ipLimiter) check(ip netip.Addr, now time.Time) error {
	if l.limit < 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[ip]
	if w == nil {
		if len(l.windows) >= maxLimitedIPs || l.windows == nil {
			l.windows = map[netip.Addr]*window{} // forgives rather than grows
		}
		w = &window{}
		l.windows[ip] = w
	}
	if wait, ok := w.take(now, l.limit); !ok {
		return errTooMany(wait)
	}
	return nil
}
