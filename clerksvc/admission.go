package clerksvc

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"

	"clerkql/internal/ratelimit"
)

const (
	// defaultConcurrency is how many mutations may be calling Clerk at a time, and maxQueueTime how long others wait for their turn.
	defaultConcurrency uint = 256
	maxQueueTime            = 150 * time.Millisecond
	// clerkPause is how long Clerk is left alone when it says that there were too many calls, and not for how long.
	clerkPause = time.Second
)

// Classes of mutations. A flood of those that anybody can set off, for any address, must not keep people from signing in and staying so.
const (
	essential  = ratelimit.Essential
	deferrable = ratelimit.Deferrable
)

// errQuota is why a mutation was refused: the calls that Clerk allows are used up.
var errQuota = errors.New("the calls that Clerk allows are used up for now")

// gate lets mutations call Clerk, or refuses them before their first call, so that none is made for what can't be finished: while too many
// calls fail, when the calls that Clerk allows are used up, and when too many mutations wait for Clerk already.
type gate struct {
	quota ratelimit.Quota // nil: as many as Clerk allows
	// room is for all mutations, and deferrableRoom, which is half of it, for those that are deferrable.
	room, deferrableRoom bulkhead.Bulkhead[any]
	log                  *slog.Logger
}

func newGate(cfg Config) *gate {
	room := cmp.Or(cfg.Concurrency, defaultConcurrency)
	return &gate{quota: cfg.Quota, room: bulkhead.New[any](room), deferrableRoom: bulkhead.New[any]((room + 1) / 2), log: cfg.Logger}
}

// admission is a mutation at the gate. Every context of [Service.inTime] has one.
type admission struct {
	gate *gate

	mu    sync.Mutex // calls may run side by side
	class ratelimit.Class
	grant ratelimit.Grant
	calls int      // that were granted
	left  int      // of them, not made
	out   []func() // gives back what was taken to get in; nil: not in
}

type admissionKey struct{}

// admissionOf returns the admission of ctx, or nil.
func admissionOf(ctx context.Context) *admission {
	a, _ := ctx.Value(admissionKey{}).(*admission)
	return a
}

// admit lets the mutation of ctx make calls to Clerk: as many as it makes at most if nothing fails. What an essential one does not make is given back
// when it ends. A deferrable one keeps it, as it could tell whether an account exists (rule 3). What is made beyond, to repeat a call or to clean
// up, is counted and never refused. The error is *UnavailableError.
func (s *Service) admit(ctx context.Context, class ratelimit.Class, calls int) error {
	return admissionOf(ctx).enter(ctx, class, calls, s.api.resilience)
}

// admitSignIn is admit for a mutation that makes two calls and may then end with a session or ticket. The error is *RateLimitedError if
// Clerk said a moment ago that it would refuse the client one.
func (s *Service) admitSignIn(ctx context.Context, client Client) error {
	switch s.mode {
	case ModeSession:
		return admissionOf(ctx).enter(ctx, essential, 2+2, s.api.resilience)
	case ModeExchange: // in which the Frontend API does not count as one call more
		if wait := s.frontend.limitedFor(client); wait > 0 {
			return &RateLimitedError{RetryAfter: wait}
		}
		return admissionOf(ctx).enter(ctx, essential, 2+1, s.api.resilience, s.frontend.resilience)
	default:
		return admissionOf(ctx).enter(ctx, essential, 2+1, s.api.resilience)
	}
}

func (a *admission) enter(ctx context.Context, class ratelimit.Class, calls int, apis ...*resilience) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.class = class
	rooms := []bulkhead.Bulkhead[any]{a.gate.room}
	if class == deferrable {
		rooms = append(rooms, a.gate.deferrableRoom)
	}
	for _, room := range rooms {
		if err := room.AcquirePermitWithMaxWait(ctx, maxQueueTime); err != nil {
			a.goOut()
			return &UnavailableError{RetryAfter: defaultRetryAfter, cause: err}
		}
		a.out = append(a.out, room.ReleasePermit)
	}
	grant, err := a.gate.take(ctx, calls, class)
	if err != nil {
		a.goOut()
		return err
	}
	a.grant, a.calls, a.left = grant, calls, calls
	for _, api := range apis {
		if !api.begin() {
			a.gate.giveBack(ctx, grant, calls)
			a.goOut()
			return &UnavailableError{RetryAfter: breakerPause, cause: errCircuitOpen}
		}
		a.out = append(a.out, func() {
			if a.left == a.calls {
				api.unused()
			}
		})
	}
	return nil
}

// more lets a mutation that is in make more calls. The error is *UnavailableError.
func (a *admission) more(ctx context.Context, calls int) error {
	grant, err := a.gate.take(ctx, calls, a.class)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grant, a.calls, a.left = grant, a.calls+calls, a.left+calls
	return nil
}

// leave ends the admission, if it has begun and not ended.
func (a *admission) leave(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out == nil {
		return
	}
	if unused := a.left == a.calls; a.left > 0 && (unused || a.class == essential) {
		a.gate.giveBack(ctx, a.grant, a.left)
	}
	a.goOut()
}

func (a *admission) goOut() {
	for _, undo := range a.out {
		undo()
	}
	a.out, a.left = nil, 0
}

// spend notes that the mutation of ctx makes a call that Clerk counts.
func spend(ctx context.Context) {
	a := admissionOf(ctx)
	if a == nil {
		return
	}
	a.mu.Lock()
	granted := a.left > 0
	if granted {
		a.left--
	}
	a.mu.Unlock()
	if !granted {
		_, _ = a.gate.take(ctx, 1, ratelimit.Committed) // which is never refused
	}
}

// limited notes that Clerk has had too many calls, of this process or of others.
func limited(ctx context.Context, wait time.Duration) {
	a := admissionOf(ctx)
	if a == nil || a.gate.quota == nil {
		return
	}
	wait = orDefault(wait, clerkPause)
	a.gate.log.WarnContext(ctx, "Clerk refuses calls, as there were too many", slog.Duration("pause", wait))
	if err := a.gate.quota.Pause(ctx, wait); err != nil {
		a.gate.log.ErrorContext(ctx, "a pause could not be shared", slog.String("error", err.Error()))
	}
}

// take takes calls from the quota. The error is *UnavailableError. A quota that can't be asked, which one that falls back never is, gives none.
func (g *gate) take(ctx context.Context, calls int, class ratelimit.Class) (ratelimit.Grant, error) {
	if g.quota == nil {
		return ratelimit.Grant{}, nil
	}
	grant, err := g.quota.Take(ctx, calls, class)
	switch {
	case err != nil:
		g.log.ErrorContext(ctx, "the quota can't be asked", slog.String("error", err.Error()))
		return grant, &UnavailableError{RetryAfter: defaultRetryAfter, cause: err}
	case !grant.OK:
		return grant, &UnavailableError{RetryAfter: grant.RetryAfter, cause: errQuota}
	}
	return grant, nil
}

func (g *gate) giveBack(ctx context.Context, grant ratelimit.Grant, calls int) {
	if g.quota == nil {
		return
	}
	if err := g.quota.Return(ctx, grant, calls); err != nil {
		g.log.ErrorContext(ctx, "calls could not be given back", slog.String("error", err.Error()))
	}
}
