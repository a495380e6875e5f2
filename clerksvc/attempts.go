package clerksvc

import (
	"sync"
	"time"
)

const (
	// maxWrongCodes is how many wrong codes use up an unfinished sign-in. Clerk's Backend API does not count.
	maxWrongCodes = 5
	// maxWrongCodesOfUser is how many wrong codes an account may have in wrongCodesWindow, over all of its sign-ins. It takes the
	// password, or the mailbox, to have any, so nobody else keeps its owner out with them.
	maxWrongCodesOfUser = 10
	wrongCodesWindow    = 10 * time.Minute
	// maxTracked bounds the memory for unfinished sign-ins, and that for accounts, to about 20 MB each. It takes a right password to
	// add one.
	maxTracked = 100_000
	// attemptPause is how long to wait for an attempt that is under way, or for room.
	attemptPause = time.Second
)

// attemptLimiter counts the attempts at second factors, and lets each unfinished sign-in give one session. Clerk does neither: it
// accepts a TOTP code as often as it is sent. Each process counts for itself; see limiter.secondFactor and limiter.useSignIn for what replicas share.
type attemptLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	signIns map[string]*attempts // by secondFactorHandle.ID
	users   map[string]*attempts // by user id; only wrong and expires are used
}

// attempts are those at one unfinished sign-in, or those of one account.
type attempts struct {
	wrong    int
	underWay bool
	// accepted: a code was. From then on, only a handle that says so goes on.
	accepted bool
	used     bool
	expires  time.Time
}

// attemptResult is how an attempt ended.
type attemptResult struct {
	wrong    bool // the code
	accepted bool // the code, now or before
	used     bool // for a session
}

func newAttemptLimiter(now func() time.Time) *attemptLimiter {
	return &attemptLimiter{now: now, signIns: map[string]*attempts{}, users: map[string]*attempts{}}
}

// check reports whether a sign-in can be gone on with: the error is ErrVerificationExpired if it is used up, and *RateLimitedError
// if its account had too many wrong codes.
func (l *attemptLimiter) check(signIn secondFactorHandle) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.usable(signIn)
}

func (l *attemptLimiter) usable(signIn secondFactorHandle) error {
	now := l.now()
	if u := l.users[signIn.UserID]; u != nil && u.wrong >= maxWrongCodesOfUser && now.Before(u.expires) {
		return &RateLimitedError{RetryAfter: u.expires.Sub(now)}
	}
	if a := l.signIns[signIn.ID]; a != nil && (a.used || a.accepted && !signIn.Proved || a.wrong >= maxWrongCodes) {
		return ErrVerificationExpired
	}
	return nil
}

// begin lets one attempt at a sign-in begin, which must be ended with end. The errors are those of check, and *RateLimitedError while
// another attempt is under way or there is no room.
func (l *attemptLimiter) begin(signIn secondFactorHandle) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(signIn); err != nil {
		return err
	}
	a := l.signIns[signIn.ID]
	switch {
	case a != nil && a.underWay:
		return &RateLimitedError{RetryAfter: attemptPause}
	case a == nil && (!l.hasRoom(l.signIns) || !l.hasRoom(l.users)):
		return &RateLimitedError{RetryAfter: attemptPause}
	case a == nil:
		a = &attempts{expires: time.Unix(signIn.ExpiresAt, 0)}
		l.signIns[signIn.ID] = a
	}
	a.underWay = true
	return nil
}

// hasRoom makes room of what has expired, if there is none.
func (l *attemptLimiter) hasRoom(tracked map[string]*attempts) bool {
	if len(tracked) < maxTracked {
		return true
	}
	now := l.now()
	for id, a := range tracked {
		if !now.Before(a.expires) {
			delete(tracked, id)
		}
	}
	return len(tracked) < maxTracked
}

// end notes how an attempt ended. It returns how many wrong codes the sign-in has left.
func (l *attemptLimiter) end(signIn secondFactorHandle, result attemptResult) (remaining int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if result.wrong {
		l.countWrong(signIn.UserID)
	}
	a := l.signIns[signIn.ID]
	if a == nil { // it expired meanwhile
		return 0
	}
	a.underWay, a.accepted, a.used = false, result.accepted, result.used
	if result.wrong {
		a.wrong++
	}
	return maxWrongCodes - a.wrong
}

// countWrong counts a wrong code of an account, in a window that begins with the first.
func (l *attemptLimiter) countWrong(userID string) {
	u := l.users[userID]
	if now := l.now(); u == nil || !now.Before(u.expires) {
		u = &attempts{expires: now.Add(wrongCodesWindow)}
		l.users[userID] = u
	}
	u.wrong++
}
