package clerksvc_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
)

// made is what a step made.
type made struct {
	sessions []clerkemu.Session
	tickets  []clerkemu.SignInToken
	mail     *mailed
}

// settle compares the embedded Clerk before and after a step, and brings the model up to date. It fails if anything came to be,
// changed or ended that the claim does not cover.
func (w *world) settle(c claim, succeeded bool) made {
	w.t.Helper()
	for _, user := range w.clerk.Users() {
		if w.accountByID(user.ID) != nil {
			continue
		}
		if user.EmailAddress != c.signsUp {
			w.failf("an account of %s came to be, not by a sign-up of it", user.EmailAddress)
		}
		w.adopt(user, c.newPassword)
	}
	was := make([]account, len(w.accounts))
	for i, a := range w.accounts {
		was[i] = *a
	}
	w.look()
	var m made
	for i, a := range w.accounts {
		switch {
		case was[i].gone:
		case a.gone:
			w.checkGone(c, a)
		default:
			w.checkAccount(c, was[i], a)
			w.checkMade(c, was[i], a, succeeded, &m)
			w.checkEnded(c, was[i], a)
		}
	}
	if len(m.sessions) > 1 || len(m.tickets) > 1 {
		w.failf("one step made %d sessions and %d tickets", len(m.sessions), len(m.tickets))
	}
	if w.problem != "" {
		w.failf("%s", w.problem)
	}
	if c.signIn != nil && len(m.sessions)+len(m.tickets) > 0 && succeeded {
		c.signIn.sessions++
	}
	if all := w.clerk.Mail(""); len(all) > len(w.mails) {
		m.mail = &mailed{code: all[0].Code, to: all[0].To, sentAt: w.now()}
		w.mails = slices.Insert(w.mails, 0, m.mail)
	}
	return m
}

// checkGone checks why an account is gone. It is as it was before the step.
func (w *world) checkGone(c claim, a *account) {
	if a.EmailAddress != c.signsUp || a.Verified || a.barred() || a.TOTPEnabled || len(a.sessions) > 0 || a.password == c.newPassword {
		w.failf("the account of %s is gone, and it was no abandoned sign-up", a.name)
	}
}

// checkAccount checks what was changed about an account.
func (w *world) checkAccount(c claim, was account, a *account) {
	if !a.PasswordUpdatedAt.Equal(was.PasswordUpdatedAt) {
		if c.account != a || c.newPassword == "" {
			w.failf("the password of %s was set by who proved neither it nor a mailed code", a.name)
		}
		a.password = c.newPassword
		// An administrator's change ends no sessions, a reset all that there were.
		if c.ends != nil && slices.ContainsFunc(was.sessions, func(s clerkemu.Session) bool { return w.active(s.ID) }) {
			w.failf("a session of %s outlives the reset of the password", a.name)
		}
	}
	if a.Verified && !was.Verified && (c.account != a || c.code == nil) {
		w.failf("the address of %s became verified without the code that was mailed to it", a.name)
	}
	if a.BackupCodes < was.BackupCodes {
		if c.account != a || !c.secondFactor {
			w.failf("a backup code of %s was used up by nobody who gave it", a.name)
		}
		a.backupCodes = slices.DeleteFunc(slices.Clone(a.backupCodes), func(code string) bool { return code == c.entered })
	}
}

// checkMade checks the sessions and tickets that came to be. Those of a step that failed must not be good for anything.
func (w *world) checkMade(c claim, was account, a *account, succeeded bool, m *made) {
	for _, s := range a.sessions {
		if slices.ContainsFunc(was.sessions, func(old clerkemu.Session) bool { return old.ID == s.ID }) {
			continue
		}
		w.checkProofs(c, a, "a session")
		if !succeeded && s.Status == "active" {
			w.failf("a session of %s is left of a step that did not succeed", a.name)
		}
		m.sessions = append(m.sessions, s)
		w.sessions = slices.Insert(w.sessions, 0, &session{s.ID, fmt.Sprintf("session %d of %s", len(w.sessions), a.name)})
	}
	for _, t := range a.tickets {
		if slices.ContainsFunc(was.tickets, func(old clerkemu.SignInToken) bool { return old.ID == t.ID }) {
			continue
		}
		w.checkProofs(c, a, "a ticket")
		if t.Status == "pending" && (!succeeded || w.mode != clerksvc.ModeTicket) {
			w.failf("a ticket of %s is left of a step that did not issue it", a.name)
		}
		if life := t.ExpireAt.Sub(t.CreatedAt); life > time.Minute {
			w.failf("a ticket of %s lives for %s", a.name, life)
		}
		m.tickets = append(m.tickets, t)
	}
}

// checkProofs is what this test is about: it fails unless the step has every proof for a session of this account.
func (w *world) checkProofs(c claim, a *account, what string) {
	missing := slices.Concat(c.first, c.rest)
	need(&missing, a.Verified || slices.Contains(missing, "a verified address"), "a verified address")
	need(&missing, c.account == a, "anything to do with this account")
	if len(missing) > 0 {
		w.failf("%s of %s came to be without %s", what, a.name, strings.Join(missing, "; without "))
	}
}

// checkEnded checks which sessions have ended.
func (w *world) checkEnded(c claim, was account, a *account) {
	for _, s := range was.sessions {
		status := ""
		if i := slices.IndexFunc(a.sessions, func(now clerkemu.Session) bool { return now.ID == s.ID }); i >= 0 {
			status = a.sessions[i].Status
		}
		if s.Status == "active" && status != "active" && status != "expired" && (c.ends == nil || !c.ends(s)) {
			w.failf("%s was ended by who may not end it", w.sessionName(s.ID))
		}
	}
}
