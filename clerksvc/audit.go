package clerksvc

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
)

// audit gathers what is logged of a flow when it ends: one event for each, whatever came of it. docs/security.md lists the events, and
// what is in them.
type audit struct {
	log        *slog.Logger
	flow       string
	client     Client
	cancel     context.CancelFunc
	identifier string
	userID     string
	decoy      bool

	mu      sync.Mutex // calls to Clerk may run side by side
	traceID string
}

type auditKey struct{}

// faultName is the outcome of a fault of ours.
const faultName = "internal_server_error"

// begin returns the context that a mutation runs in: bounded in time, and not ended by a client that goes away; and the audit of the
// mutation, which has to be ended. flow names the mutation in the log.
func (s *Service) begin(ctx context.Context, flow string, client Client) (context.Context, *audit) {
	a := &audit{log: s.log, flow: flow, client: client}
	ctx, a.cancel = s.inTime(context.WithValue(ctx, auditKey{}, a))
	return ctx, a
}

// inTime returns a context that ends in time, and not when a client goes away, in which Clerk can be called once it is admitted.
func (s *Service) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	admission := &admission{gate: s.gate}
	ctx, cancel := context.WithTimeout(context.WithValue(context.WithoutCancel(ctx), admissionKey{}, admission), s.timeout)
	return ctx, func() {
		admission.leave(ctx)
		cancel()
	}
}

// end logs how the mutation ended, and ends its context. It has to be deferred itself: a panic, which it lets go on, is no success.
func (a *audit) end(ctx context.Context, err *error) {
	a.cancel()
	fault := recover()
	outcome := outcomeName(*err)
	switch {
	case fault != nil:
		outcome = faultName
	case a.decoy:
		outcome = "decoy"
	}
	attrs := []slog.Attr{slog.String("event", a.flow+"."+outcome), slog.String("client_ip", a.client.IP)}
	for _, optional := range []slog.Attr{
		slog.String("identifier", a.identifier), slog.String("user_id", a.userID), slog.String("clerk_trace_id", a.lastTrace()),
	} {
		if optional.Value.String() != "" {
			attrs = append(attrs, optional)
		}
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
	if fault != nil {
		panic(fault)
	}
}

// about notes whose account the mutation is about. One that is nobody's, as it is in a decoy, is none.
func (a *audit) about(userID string) {
	if !strings.Contains(userID, nobody) {
		a.userID = userID
	}
}

// called notes Clerk's name for a call that was made for the mutation of ctx, if there is one.
func called(ctx context.Context, traceID string) {
	if a, ok := ctx.Value(auditKey{}).(*audit); ok && traceID != "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.traceID = bounded(traceID)
	}
}

func (a *audit) lastTrace() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.traceID
}

// outcomeName returns what an outcome is called in the log: as the code of its member in schema.graphqls, in lower case.
func outcomeName(err error) string {
	switch {
	case err == nil:
		return "succeeded"
	case errors.As(err, new(*InvalidInputError)):
		return "invalid_input"
	case errors.As(err, new(*PasswordRejectedError)):
		return "password_rejected"
	case errors.As(err, new(*EmailNotVerifiedError)):
		return "email_not_verified"
	case errors.As(err, new(*SecondFactorRequiredError)):
		return "second_factor_required"
	case errors.As(err, new(*InvalidCodeError)):
		return "invalid_code"
	case errors.As(err, new(*AccountLockedError)):
		return "account_locked"
	case errors.As(err, new(*RateLimitedError)):
		return "rate_limited"
	case errors.As(err, new(*UnavailableError)):
		return "service_unavailable"
	case errors.Is(err, ErrEmailTaken):
		return "email_taken"
	case errors.Is(err, ErrSignUpRestricted):
		return "sign_up_restricted"
	case errors.Is(err, ErrInvalidCredentials):
		return "invalid_credentials"
	case errors.Is(err, ErrVerificationExpired):
		return "verification_expired"
	case errors.Is(err, ErrAlreadyVerified):
		return "already_verified"
	case errors.Is(err, ErrAccountBanned):
		return "account_banned"
	case errors.Is(err, ErrSessionTokenInvalid):
		return "not_signed_in"
	case errors.Is(err, ErrSessionEnded):
		return "session_ended"
	case errors.Is(err, ErrSessionNotFound):
		return "session_not_found"
	default:
		return faultName
	}
}
