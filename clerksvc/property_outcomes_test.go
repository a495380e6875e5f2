package clerksvc_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"clerkql/clerksvc"
)

// resumeWith returns the handle to go on with after a code was accepted and something after that failed, or "".
func resumeWith(err error) string {
	var (
		rejected *clerksvc.PasswordRejectedError
		limited  *clerksvc.RateLimitedError
		down     *clerksvc.UnavailableError
	)
	switch {
	case errors.As(err, &rejected):
		return rejected.SignInID
	case errors.As(err, &limited):
		return limited.SignInID
	case errors.As(err, &down):
		return down.SignInID
	}
	return ""
}

// finish is settle for a flow that signs in: it also notes what was handed out.
func (w *world) finish(c claim, way string, signedIn *clerksvc.SignedIn, err error) made {
	m := w.settle(c, err == nil)
	var unfinished *clerksvc.SecondFactorRequiredError
	if errors.As(err, &unfinished) {
		h := handle{
			text: unfinished.SignInID, kind: kindSecondFactor, account: c.account, missing: c.first, lookedAt: w.now(),
			expires: w.now().Add(10 * time.Minute), byMail: slices.Contains(unfinished.NextSteps, clerksvc.SecondFactorEmailCode),
			signIn: &signIn{},
		}
		if c.account != nil {
			h.passwordAt = c.account.PasswordUpdatedAt
		}
		w.hand(h)
	}
	if c.code != nil && (err == nil || unfinished != nil) {
		c.code.used = true
	}
	if err != nil {
		return m
	}
	w.tally[way+": ok"]++
	a := c.account
	if a == nil || signedIn.UserID != a.ID || len(m.sessions)+len(m.tickets) == 0 {
		w.failf("somebody was told to be signed in and is not, or as somebody else")
	}
	if signedIn.Ticket != nil {
		w.tickets = slices.Insert(w.tickets, 0, &ticket{
			text: signedIn.Ticket.Token.Reveal(), name: fmt.Sprintf("ticket %d of %s", len(w.tickets), a.name), id: m.tickets[0].ID, account: a,
		})
	}
	if s := signedIn.Session; s != nil {
		if len(m.sessions) == 0 || s.ID != m.sessions[0].ID {
			w.failf("%s was told of another session than was made", a.name)
		}
		w.hand(handle{text: s.RefreshToken.Reveal(), kind: kindRefresh, account: a, sessionID: s.ID, expires: s.ExpiresAt})
		w.handToken(a, s.ID, s.Token.Reveal())
	}
	if d := signedIn.Device; d != nil {
		h := handle{text: d.Token.Reveal(), kind: kindDevice, account: a, passwordAt: a.PasswordUpdatedAt, expires: d.ExpiresAt}
		need(&h.missing, way != "SignIn", "more than a password")
		w.hand(h)
	}
	return m
}

// ended tells how a call ended. What is wrong with that, settle reports after what is worse: an outcome that is not documented of the
// call, or a Clerk that is blamed for nothing.
func (w *world) ended(err error, call string, documented ...string) {
	outcome := outcomeName(err)
	fault := ""
	if w.fault != "" {
		fault = " while Clerk fails at " + w.fault
	}
	w.logf("%s%s → %s", call, fault, outcome)
	switch {
	case err == nil:
	case !slices.Contains(documented, outcome):
		w.problem = fmt.Sprintf("the outcome is not documented of the call: %T", err)
	case outcome == "ServiceUnavailable" && w.fault == "":
		w.problem = "Clerk is said to fail, and it does not"
	}
}

// outcomeName names an outcome as schema.graphqls does.
func outcomeName(err error) string {
	for _, named := range []struct {
		name string
		is   bool
	}{
		{"ok", err == nil},
		{"EmailTaken", errors.Is(err, clerksvc.ErrEmailTaken)},
		{"SignUpRestricted", errors.Is(err, clerksvc.ErrSignUpRestricted)},
		{"InvalidCredentials", errors.Is(err, clerksvc.ErrInvalidCredentials)},
		{"VerificationExpired", errors.Is(err, clerksvc.ErrVerificationExpired)},
		{"AlreadyVerified", errors.Is(err, clerksvc.ErrAlreadyVerified)},
		{"AccountBanned", errors.Is(err, clerksvc.ErrAccountBanned)},
		{"NotSignedIn", errors.Is(err, clerksvc.ErrSessionTokenInvalid)},
		{"SessionEnded", errors.Is(err, clerksvc.ErrSessionEnded)},
		{"SessionNotFound", errors.Is(err, clerksvc.ErrSessionNotFound)},
		{"InvalidInput", errors.As(err, new(*clerksvc.InvalidInputError))},
		{"PasswordRejected", errors.As(err, new(*clerksvc.PasswordRejectedError))},
		{"InvalidCode", errors.As(err, new(*clerksvc.InvalidCodeError))},
		{"EmailNotVerified", errors.As(err, new(*clerksvc.EmailNotVerifiedError))},
		{"SecondFactorRequired", errors.As(err, new(*clerksvc.SecondFactorRequiredError))},
		{"AccountLocked", errors.As(err, new(*clerksvc.AccountLockedError))},
		{"RateLimited", errors.As(err, new(*clerksvc.RateLimitedError))},
		{"ServiceUnavailable", errors.As(err, new(*clerksvc.UnavailableError))},
	} {
		if named.is {
			return named.name
		}
	}
	return "no outcome"
}
