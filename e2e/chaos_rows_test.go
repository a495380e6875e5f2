package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// makesSession reports whether a call leaves a session, or a ticket, that nobody holds if its answer is lost.
func (c chaosCall) makesSession() bool {
	return slices.Contains([]string{"createSession", "CreateSignInToken", "fapi.createSignIn"}, c.operation)
}

// broken is a row in which a call fails so many times, or until the user tries again if that is 0.
func (r *chaosRun) broken(t *testing.T, row *chaosRow, call chaosCall, fault chaosFault, times int) {
	t.Helper()
	p := r.person(t)
	inject(t, r.clerk, r.fault(call, fault.fault, times))
	pending := r.clerk.PendingFaults()
	began := time.Now()
	answered, err := p.ask(t.Context(), "")
	took := time.Since(began)
	if err != nil {
		t.Fatalf("%s: %v", p.next.name, err)
	}
	row.answered = answered.typename()
	if row.answered != r.answer() && row.answered != fault.want {
		t.Fatalf("%s answered %v", p.next.name, answered)
	}
	if took > chaosTimeout+chaosMargin {
		t.Fatalf("%s took %v", p.next.name, took)
	}
	if fault.fault.RetryAfter > 0 && row.answered == fault.want && fault.want != r.answer() && answered["retryAfterSeconds"] != fault.fault.RetryAfter.Seconds() && p.next.name[:6] != "viewer" {
		t.Errorf("%s: wait %v", p.next.name, answered["retryAfterSeconds"])
	}
	if times > 0 && r.clerk.PendingFaults() >= pending || !r.called(call) {
		t.Fatalf("the call did not fail: %v", r.clerk.Calls())
	}
	r.clerk.ClearFaults()
	row.isRight = true
	if fault.fault.Status == http.StatusTooManyRequests {
		time.Sleep(chaosPause)
	}

	if !p.takes(answered) {
		p.goOn()
	}
	lost := 0
	if fault.effect && call.makesSession() || !fault.effect && call.operation == r.flow.cleansUp {
		lost = 1
	}
	codes := 1
	if fault.effect && call.operation == "VerifyTOTP" {
		codes = 2
	}
	r.settled(p, lost, codes)
}

// called reports whether a call was made. One that its client has given up on is listed when Clerk notices that.
func (r *chaosRun) called(call chaosCall) bool {
	for deadline := time.Now().Add(chaosMargin); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if slices.Contains(chaosCalls(r.clerk.Calls()), call) {
			return true
		}
	}
	return false
}

// hungUp is a row in which the client goes away while a call is under way: the request runs to its end, and the user tries again.
func (r *chaosRun) hungUp(t *testing.T, row *chaosRow, call chaosCall, calls []chaosCall) {
	t.Helper()
	p := r.person(t)
	inject(t, r.clerk, r.fault(call, clerkemu.Fault{Kind: clerkemu.FaultLatency, Latency: chaosHeld}, 1))
	pending := r.clerk.PendingFaults()
	id := fmt.Sprintf("hung-up-%d", r.people)
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	left := make(chan error, 1)
	go func() {
		_, err := p.ask(ctx, id)
		left <- err
	}()
	for deadline := time.Now().Add(chaosTimeout); r.clerk.PendingFaults() >= pending; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the call was not made")
		}
	}
	hangUp()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("the client did not hang up in time: %v", err)
	}
	if !strings.HasPrefix(p.next.name, "viewer") { // a query has nothing to finish
		r.a.ended(t, id)
		for _, made := range calls {
			if !slices.Contains(chaosCalls(r.clerk.Calls()), made) {
				t.Fatalf("%s stopped before %s: %v", p.next.name, made, r.clerk.Calls())
			}
		}
	}
	row.answered, row.isRight = "nothing", true
	r.clerk.ClearFaults()

	lost, codes := 0, 1
	if slices.ContainsFunc(calls, chaosCall.makesSession) {
		lost, codes = 1, 2
		p.resumes = false // the session that was made has used the handle up
	}
	p.goOn()
	r.settled(p, lost, codes)
}

// ended waits until the server says that it is done with a request.
func (a *api) ended(t testing.TB, id string) {
	t.Helper()
	for deadline := time.Now().Add(chaosTimeout + chaosMargin); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(a.log.String()) {
			if strings.Contains(line, `"msg":"audit"`) && strings.Contains(line, `"`+id+`"`) {
				return
			}
		}
	}
	t.Fatalf("the request %s did not come to its end", id)
}
