package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// traveller goes through all flows that have steps, as a person would: what was not answered, they do again.
type traveller struct {
	*api
	clerk *clerkemu.Server
	// asked and unanswered count requests. Unanswered are those whose answer was not one of the API's, whatever it was.
	asked, unanswered atomic.Int32
}

// do runs a mutation that must end with a member, or else, if it had to be sent again because it was not answered, with one of the others.
func (v *traveller) do(ctx context.Context, mutation string, input map[string]any, want string, others ...string) (member, error) {
	for again := range 3 {
		v.asked.Add(1)
		result, err := v.ask(ctx, nil, mutation, input)
		switch name := result.typename(); {
		case err != nil:
			v.unanswered.Add(1)
		case name == want || again > 0 && slices.Contains(others, name):
			return result, nil
		default:
			return nil, fmt.Errorf("%s answered %v, want %s", mutation, result, want)
		}
	}
	return nil, fmt.Errorf("%s was not answered", mutation)
}

// journey signs up, signs in, resets the password, and signs in with a second factor. Each step but the first rests on what an earlier one gave.
func (v *traveller) journey(ctx context.Context, address string) error {
	credentials := map[string]any{"email": address, "password": password}
	started, err := v.do(ctx, "signUp", credentials, "VerificationRequired")
	if err != nil {
		return err
	}
	session, err := v.do(ctx, "verifyEmail", map[string]any{
		"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": v.mailed(address),
	}, "SessionCreated", "AlreadyVerified")
	if err != nil {
		return err
	}
	if session.typename() == "AlreadyVerified" {
		if session, err = v.do(ctx, "signIn", credentials, "SessionCreated"); err != nil {
			return err
		}
	}
	if _, err := v.do(ctx, "refreshSession", map[string]any{"refreshToken": session["refreshToken"]}, "SessionRefreshed"); err != nil {
		return err
	}
	if err := v.reset(ctx, address); err != nil {
		return err
	}
	user, _ := v.clerk.UserByEmail(address)
	if err := v.clerk.EnableTOTP(user.ID, totpSecret); err != nil {
		return err
	}
	if session, err = v.signInWithTOTP(ctx, user.ID, address); err != nil {
		return err
	}
	if !user.Verified || !activeSessions(v.clerk, user.ID)[session.text("sessionId")] {
		return fmt.Errorf("in the end the address is verified: %t, and there is no session %v", user.Verified, session)
	}
	_, err = v.do(ctx, "signOut", map[string]any{"refreshToken": session["refreshToken"]}, "SignedOut", "SessionEnded")
	return err
}

// reset resets the password. If a code was used up and the answer lost, it takes another one.
func (v *traveller) reset(ctx context.Context, address string) error {
	for {
		sent, err := v.do(ctx, "requestPasswordReset", map[string]any{"email": address}, "PasswordResetSent")
		if err != nil {
			return err
		}
		result, err := v.do(ctx, "resetPassword", map[string]any{
			"signInId": sent["signInId"], "code": v.mailed(address), "newPassword": newPassword,
		}, "SessionCreated", "InvalidCode", "VerificationExpired")
		if err != nil || result.typename() == "SessionCreated" {
			return err
		}
	}
}

// signInWithTOTP signs in with the new password and the second factor. If the sign-in was used up and the answer lost, it begins another one.
func (v *traveller) signInWithTOTP(ctx context.Context, userID, address string) (member, error) {
	for {
		half, err := v.do(ctx, "signIn", map[string]any{"email": address, "password": newPassword}, "SecondFactorRequired")
		if err != nil {
			return nil, err
		}
		code, err := v.clerk.TOTPCode(userID)
		if err != nil {
			return nil, err
		}
		session, err := v.do(ctx, "attemptSecondFactor", attempt(half["signInId"], "TOTP", code), "SessionCreated", "VerificationExpired")
		if err != nil || session.typename() == "SessionCreated" {
			return session, err
		}
	}
}

// mailed returns the newest code in the mailbox of an address.
func (v *traveller) mailed(address string) string {
	if mail := v.clerk.Mail(address); len(mail) > 0 {
		return mail[0].Code
	}
	return "no mail"
}

// traffic is travellers under way, one journey after another.
type traffic struct {
	travellers []*traveller
	stop       chan struct{}
	all        sync.WaitGroup
	stopped    sync.Once
	// begun counts the journeys of each traveller.
	begun []atomic.Int32
}

// travellers is how many travel at once, and so how many requests can be under way.
const travellers = 12

// startTraffic has travellers on their way until the traffic is ended. A journey that does not end as it should fails the test. Clerk takes a
// moment for each call, so that requests are under way at any time.
func (c *cluster) startTraffic(t testing.TB) *traffic {
	t.Helper()
	f := &traffic{stop: make(chan struct{}), begun: make([]atomic.Int32, travellers)}
	t.Cleanup(func() { f.end() })
	inject(t, c.clerk, clerkemu.Fault{Operation: "*", Kind: clerkemu.FaultLatency, Latency: 20 * time.Millisecond})
	for i := range travellers {
		v := &traveller{api: c.visitor(t, fmt.Sprintf("127.0.1.%d", i+1)), clerk: c.clerk}
		f.travellers = append(f.travellers, v)
		f.all.Go(func() {
			for {
				select {
				case <-f.stop:
					return
				default:
				}
				address := fmt.Sprintf("traveller%d.%d@example.com", i, f.begun[i].Add(1))
				if err := v.journey(t.Context(), address); err != nil {
					t.Errorf("traveller %d: %v", i, err)
					return
				}
			}
		})
	}
	return f
}

// turnOver waits until every journey that is under way has ended.
func (f *traffic) turnOver(t testing.TB) {
	t.Helper()
	for i := range f.begun {
		underWay := f.begun[i].Load()
		for deadline := time.Now().Add(time.Minute); f.begun[i].Load() == underWay; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("traveller %d does not arrive", i)
			}
		}
	}
}

// end lets the journeys under way end, and returns how many requests there were, and how many of them were not answered.
func (f *traffic) end() (asked, unanswered int) {
	f.stopped.Do(func() { close(f.stop) })
	f.all.Wait()
	for _, v := range f.travellers {
		asked += int(v.asked.Load())
		unanswered += int(v.unanswered.Load())
	}
	return asked, unanswered
}
