package clerkemu

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The kinds of faults.
const (
	// FaultLatency answers rightly, after Fault.Latency.
	FaultLatency FaultKind = "latency"
	// FaultStatus answers Fault.Status and Fault.Code in Clerk's error
	// envelope. The call has no effect.
	FaultStatus FaultKind = "status"
	// FaultDrop closes the connection without an answer. The call has no
	// effect.
	FaultDrop FaultKind = "drop"
	// FaultDropAfterEffect closes the connection without an answer after the
	// call has taken effect.
	FaultDropAfterEffect FaultKind = "drop_after_effect"
	// FaultTruncate lets the call take effect, announces the whole answer and
	// sends half of it.
	FaultTruncate FaultKind = "truncate"
	// FaultGarbage answers 502 with an HTML page, as a proxy would. The call
	// has no effect.
	FaultGarbage FaultKind = "garbage"
)

// Bounds of faults.
const (
	maxFaults       = 100
	maxFaultLatency = time.Minute
)

// Fault is a misbehaviour to come.
type Fault struct {
	// Operation is the operationId that fails, such as "CreateUser", or "*"
	// for all of them. Those of the Frontend API follow "fapi.", as in
	// "fapi.createSignIn".
	Operation string
	Kind      FaultKind
	// Skip is how many of the calls that match are let pass before the first
	// one fails. They can meet a fault that was injected later.
	Skip int
	// Times is how many calls fail. 0: all, until ClearFaults.
	Times int
	// Latency is waited before anything else happens. Every kind may have it.
	Latency time.Duration
	// Status and Code are what FaultStatus answers. Default 500 and
	// internal_clerk_error; the code of a 429 is too_many_requests.
	Status int
	Code   string
	// RetryAfter, when positive, is sent with FaultStatus.
	RetryAfter time.Duration
}

// InjectFault adds a fault. Each call meets the first fault in the order of
// injection that matches its operation, does not let it pass and is not used
// up, and only that one.
func (s *Server) InjectFault(f Fault) error {
	if f.Kind == FaultStatus {
		setDefault(&f.Status, http.StatusInternalServerError)
		if f.Status == http.StatusTooManyRequests {
			setDefault(&f.Code, "too_many_requests")
		}
		setDefault(&f.Code, "internal_clerk_error")
	}
	if err := f.validate(); err != nil {
		return fmt.Errorf("clerkemu: fault: %w", err)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	if len(s.faults.list) >= maxFaults {
		return fmt.Errorf("clerkemu: fault: there are %d already", maxFaults)
	}
	s.faults.list = append(s.faults.list, f)
	return nil
}

// ClearFaults ends all misbehaviour.
func (s *Server) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// PendingFaults tells how many of the injected faults are not used up. A call
// that a fault holds back, for its latency, has used it already.
func (s *Server) PendingFaults() int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return len(s.faults.list)
}

func (f Fault) validate() error {
	known := f.Operation == "*" || slices.ContainsFunc(operations(), func(op operation) bool { return op.id == f.Operation })
	switch {
	case !known:
		return fmt.Errorf("unknown operation %q", f.Operation)
	case f.Times < 0 || f.Skip < 0:
		return errors.New("times and skip must not be negative")
	case f.Latency < 0 || f.Latency > maxFaultLatency:
		return fmt.Errorf("latency must be between 0 and %s", maxFaultLatency)
	}
	switch f.Kind {
	case FaultLatency:
		if f.Latency == 0 {
			return errors.New("latency is missing")
		}
	case FaultStatus:
		if f.Status < 400 || f.Status > 599 {
			return errors.New("status must be between 400 and 599")
		}
	case FaultDrop, FaultDropAfterEffect, FaultTruncate, FaultGarbage:
	default:
		return fmt.Errorf("unknown kind %q", f.Kind)
	}
	return nil
}

// preventsEffect tells whether the call must not be carried out.
func (f Fault) preventsEffect() bool {
	return f.Kind == FaultStatus || f.Kind == FaultDrop || f.Kind == FaultGarbage
}

// withholdsAnswer tells whether the client gets nothing at all.
func (f Fault) withholdsAnswer() bool {
	return f.Kind == FaultDrop || f.Kind == FaultDropAfterEffect
}

// answer is what is sent in place of the right answer by a fault that
// prevents the effect.
func (f Fault) answer(traceID string) answer {
	if f.Kind == FaultGarbage {
		return answer{
			status:      http.StatusBadGateway,
			contentType: "text/html",
			body:        []byte("<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"),
		}
	}
	e := newError(f.Status, f.Code, "injected fault", "This answer was asked for with InjectFault.")
	e.retryAfter = f.RetryAfter
	return errorAnswer(e, traceID)
}

// wait spends the latency of the fault, and fails when the client goes away or
// the instance is closed meanwhile.
func (f Fault) wait(ctx context.Context, closing <-chan struct{}) error {
	if f.Latency == 0 {
		return nil
	}
	timer := time.NewTimer(f.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return http.ErrServerClosed
	}
}

// faultList holds the faults to come in the order of their injection.
type faultList struct {
	mu   sync.Mutex
	list []Fault
}

// take uses one fault for a call of the operation; nil when there is none.
func (l *faultList) take(operation string) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.list {
		f := &l.list[i]
		if f.Operation != "*" && f.Operation != operation {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		taken := *f
		switch f.Times {
		case 0: // until cleared
		case 1:
			l.list = slices.Delete(l.list, i, i+1)
		default:
			f.Times--
		}
		return &taken
	}
	return nil
}
