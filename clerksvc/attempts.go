package clerksvc

import (
	"sync"
	"time"
)

const (
	// maxSecondFactorAttempts is how many wrong codes use up an unfinished sign-in. Clerk's Backend API does not count.
	maxSecondFactorAttempts = 5
	// maxTrackedSignIns bounds the memory for unfinished sign-ins, to about 20 MB. It takes a right password to add one.
	maxTrackedSignIns = 100_000
	// attemptPause is how long to wait for an attempt that is under way, or for room.
	attemptPause = time.Second
)

// attemptLimiter counts the attempts at the second factor of each unfinished sign-in, and lets each give one session. Clerk does
// neither: it accepts a TOTP code as often as it is sent. Each process counts for itself.
type attemptLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	signIns map[string]*attempts // by secondFactorHandle.ID
}

type attempts struct {
	wrong    int
	underWay bool
	used     bool
	expires  time.Time
}

func newAttemptLimiter(now func() time.Time) *attemptLimiter {
	return &attemptLimiter{now: now, signIns: map[string]*attempts{}}
}

// begin lets one attempt at a sign-in begin, which must be ended with end. The error is ErrVerificationExpired for a sign-in that
// is used up, and *RateLimitedError while another attempt is under way or there is no room.
func (l *attemptLimiter) begin(id string, expires time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.signIns[id]
	switch {
	case a == nil && !l.hasRoom():
		return &RateLimitedError{RetryAfter: attemptPause}
	case a == nil:
		l.signIns[id] = &attempts{underWay: true, expires: expires}
		return nil
	case a.used || a.wrong >= maxSecondFactorAttempts:
		return ErrVerificationExpired
	case a.underWay:
		return &RateLimitedError{RetryAfter: attemptPause}
	}
	a.underWay = true
	return nil
}

// hasRoom makes room of what has expired, if there is none.
func (l *attemptLimiter) hasRoom() bool {
	if len(l.signIns) < maxTrackedSignIns {
		return true
	}
	now := l.now()
	for id, a := range l.signIns {
		if !now.Before(a.expires) {
			delete(l.signIns, id)
		}
	}
	return len(l.signIns) < maxTrackedSignIns
}

// end notes how an attempt ended. It returns how many wrong codes are left.
func (l *attemptLimiter) end(id string, used, wrong bool) (remaining int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.signIns[id]
	a.underWay, a.used = false, used
	if wrong {
		a.wrong++
	}
	return maxSecondFactorAttempts - a.wrong
}
