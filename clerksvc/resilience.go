package clerksvc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

const (
	// maxRetries is how often a call is repeated, firstPause and longestPause are how long to wait before, give or take pauseJitter of it.
	maxRetries   = 2
	firstPause   = 100 * time.Millisecond
	longestPause = time.Second
	pauseJitter  = 0.25
	// maxRetryAfter is the longest Retry-After that is waited for, and up to two thirds more. A longer one is told to the client.
	maxRetryAfter = time.Second
	// retryShare is how many of the calls under way may be repeated ones: when Clerk fails, it is not asked three times as often. As many as
	// retriesAtLeast may be in any case.
	retryShare     = 0.2
	retriesAtLeast = 3

	// The circuit opens when a breakerShare of at least breakerCalls in breakerPeriod failed. breakerPause later, breakerTrials calls find out
	// whether it may close.
	breakerShare  = 0.5
	breakerCalls  = 20
	breakerPeriod = 10 * time.Second
	breakerPause  = time.Second
	breakerTrials = 3
)

// repeatable reports whether doing an operation twice has the effect of doing it once, so that a call that may have happened can be made again
// (rule 5). No other call ever is. Operations that are not named here and do not just read or delete are not: they create something, mail
// something, or use up a code.
func repeatable(operation, method string) bool {
	switch operation {
	case "UpdateUser", "UpdateEmailAddress", // set what they set
		"VerifyPassword",                                          // compares, and Clerk does not count
		"CreateSessionToken", operationFrontendCreateSessionToken, // sign what Clerk does not keep
		"RevokeSession": // ends what has ended
		return true
	}
	return method == http.MethodGet || method == http.MethodDelete
}

// errCircuitOpen is why a mutation was refused: too many calls have failed.
var errCircuitOpen = errors.New("too many calls to Clerk failed a moment ago")

// resilience decides how often a call to one of Clerk's APIs is made: again, if it failed and is repeatable, or if Clerk refused it for now
// (429). And it has a circuit that opens while too many calls fail. Then nothing is begun; what has begun may call on, and clean up. A nil
// resilience makes every call once, and its circuit is always closed.
type resilience struct {
	breaker     circuitbreaker.CircuitBreaker[any]
	once, again failsafe.Executor[any]
}

func newResilience(api string, off bool, log *slog.Logger) *resilience {
	if off {
		return nil
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	breaker := circuitbreaker.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return broken(err) }).
		WithFailureRateThreshold(breakerShare, breakerCalls, breakerPeriod).
		WithDelay(breakerPause).
		WithSuccessThreshold(breakerTrials).
		OnStateChanged(func(change circuitbreaker.StateChangedEvent) {
			log.WarnContext(change.Context(), "circuit to Clerk changed",
				slog.String("api", api), slog.String("state", change.NewState.String()))
		}).
		Build()
	retries := budget.NewBuilder().WithMaxRate(retryShare).WithMinConcurrency(retriesAtLeast).Build()
	retry := func(condition func(error) bool) failsafe.Policy[any] {
		return retrypolicy.NewBuilder[any]().
			HandleIf(func(_ any, err error) bool { return condition(err) }).
			WithMaxRetries(maxRetries).
			WithBackoff(firstPause, longestPause).
			WithJitterFactor(pauseJitter).
			WithDelayFunc(pauseFor).
			WithBudget(retries).
			ReturnLastFailure().
			Build()
	}
	return &resilience{
		breaker: breaker,
		once:    failsafe.With[any](retry(refusedForNow)),
		again: failsafe.With[any](retry(func(err error) bool {
			return broken(err) && !tooLong(err) && !breaker.IsOpen() || refusedForNow(err)
		})),
	}
}

type unrepeatedKey struct{}

// unrepeated returns a context in which every call is made once. It is for calls that only an existing account gets to, whose repetitions could be told by
// the time that they take (rule 3).
func unrepeated(ctx context.Context) context.Context {
	return context.WithValue(ctx, unrepeatedKey{}, true)
}

// do makes a call, which must return a *ClerkError if it fails, and returns the last failure.
func (r *resilience) do(ctx context.Context, operation, method string, call func() error) error {
	if r == nil {
		return call()
	}
	var failed error
	attempt := func() error {
		failed = call()
		r.breaker.RecordError(failed)
		return failed
	}
	if ctx.Value(unrepeatedKey{}) != nil {
		return attempt()
	}
	executor := r.once
	if repeatable(operation, method) {
		executor = r.again
	}
	err := executor.WithContext(ctx).Run(attempt)
	switch {
	case err == nil:
		return nil
	case failed != nil: // whatever kept it from being repeated
		return failed
	default:
		return &ClerkError{Operation: operation, cause: err}
	}
}

// begin reports whether something may begin that calls this API. After a time in which the circuit was open, a few may, to find out whether it can
// be closed: one that then makes no call has to say so with unused.
func (r *resilience) begin() bool { return r == nil || r.breaker.TryAcquirePermit() }

func (r *resilience) unused() {
	if r != nil && r.breaker.IsHalfOpen() {
		r.breaker.RecordSuccess()
	}
}

// broken reports whether a call failed in a way that is not about what it asked for: no answer that could be read, or one that says that Clerk
// is at fault.
func broken(err error) bool {
	var clerkErr *ClerkError
	return errors.As(err, &clerkErr) && clerkErr.Uncertain() &&
		(clerkErr.Status < http.StatusMultipleChoices || clerkErr.Status >= http.StatusInternalServerError)
}

// limitedByClerk reports whether Clerk did not do what was asked because the instance has asked too often.
func limitedByClerk(e *ClerkError) bool {
	return e.Status == http.StatusTooManyRequests && (len(e.Items) == 0 || e.Has("too_many_requests"))
}

// refusedForNow reports whether a call was refused, and will not be in a moment. Nothing of it was done, so every call may be repeated.
func refusedForNow(err error) bool {
	var clerkErr *ClerkError
	return errors.As(err, &clerkErr) && limitedByClerk(clerkErr) && clerkErr.RetryAfter > 0 && !tooLong(err)
}

// tooLong reports whether Clerk wants to be left alone for longer than somebody who waits for an answer should.
func tooLong(err error) bool {
	var clerkErr *ClerkError
	return errors.As(err, &clerkErr) && clerkErr.RetryAfter > maxRetryAfter
}

// pauseFor returns how long Clerk wants to be left alone, which jitter must not shorten, or -1.
func pauseFor(attempt failsafe.ExecutionAttempt[any]) time.Duration {
	var clerkErr *ClerkError
	if errors.As(attempt.LastError(), &clerkErr) && clerkErr.RetryAfter > 0 {
		return time.Duration(float64(clerkErr.RetryAfter) / (1 - pauseJitter))
	}
	return -1
}
