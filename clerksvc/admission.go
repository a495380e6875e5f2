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

// gate lets mutations call Clerk, or refuses them before their first call, so that none is made for what can't be finished: while nearly all
// calls fail, when the calls that Clerk allows are used up, and when too many mutations wait for Clerk already.
type gate struct {
	api   *API
	quota ratelimit.Quota // nil: as many as Clerk allows
	room  bulkhead.Bulkhead[any]
	log   *slog.Logger
}

func newGate(cfg Config) *gate {
	room := bulkhead.New[any](cmp.Or(cfg.Concurrency, defaultConcurrency))
	return &gate{api: cfg.API, quota: cfg.Quota, room: room, log: cfg.Logger}
}

// admission is a mutation at the gate. Every context of [Service.inTime] has one.
type admission struct {
	gate *gate

	mu    sync.Mutex // calls may run side by side
	grant ratelimit.Grant
	left  int // calls that were granted and not made
	in    bool
}

type admissionKey struct{}

// admit lets the mutation of ctx make calls to Clerk: as many as it makes at most if nothing fails. What it does not make is given back when
// it ends. What it makes beyond, to repeat a call or to clean up, is counted and never refused. The error is *UnavailableError.
func (s *Service) admit(ctx context.Context, class ratelimit.Class, calls int) error {
	a, _ := ctx.Value(admissionKey{}).(*admission) // which inTime put there
	return a.enter(ctx, class, calls)
}

func (a *admission) enter(ctx context.Context, class ratelimit.Class, calls int) error {
	if wait, open := a.gate.api.open(); open {
		return &UnavailableError{RetryAfter: wait, cause: errCircuitOpen}
	}
	grant, err := a.gate.take(ctx, calls, class)
	if err != nil {
		return err
	}
	if err := a.gate.room.AcquirePermitWithMaxWait(ctx, maxQueueTime); err != nil {
		a.gate.giveBack(ctx, grant, calls)
		return &UnavailableError{RetryAfter: defaultRetryAfter, cause: err}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grant, a.left, a.in = grant, calls, true
	return nil
}

// leave ends the admission, if there was one.
func (a *admission) leave(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.in {
		return
	}
	a.gate.room.ReleasePermit()
	if a.left > 0 {
		a.gate.giveBack(ctx, a.grant, a.left)
	}
	a.in, a.left = false, 0
}

// spend notes that the mutation of ctx makes a call that Clerk counts.
func spend(ctx context.Context) {
	a, ok := ctx.Value(admissionKey{}).(*admission)
	if !ok {
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
	a, ok := ctx.Value(admissionKey{}).(*admission)
	if !ok || a.gate.quota == nil {
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

// sessionCalls is how many calls it takes at the Backend API to end a sign-in.
func (s *Service) sessionCalls() int {
	if s.mode == ModeSession {
		return 2
	}
	return 1
}
