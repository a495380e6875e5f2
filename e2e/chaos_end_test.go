package e2e

import (
	"maps"
	"net/http"
	"slices"

	"clerkql/clerkemu"
)

// settled holds the account of a person who is content against what it must be. lost is how many sessions, or tickets, may have been made that
// nobody holds; codes is how many backup codes it may take.
func (r *chaosRun) settled(p *person, lost, codes int) {
	p.Helper()
	users := slices.DeleteFunc(r.clerk.Users(), func(u clerkemu.User) bool { return u.EmailAddress != p.email })
	if len(users) != 1 || len(r.clerk.Users()) != r.people {
		p.Fatalf("%d users have the address, of %d; there are %d people", len(users), len(r.clerk.Users()), r.people)
	}
	user := users[0]
	if !user.Verified {
		p.Error("the address is not verified")
	}
	if sent := len(r.clerk.Mail(p.email)); sent > p.mailedBefore+p.mails {
		p.Errorf("%d mails were asked for, %d were sent", p.mails, sent-p.mailedBefore)
	}
	if user.TOTPEnabled && user.BackupCodes != 0 && len(p.backupCodes)-user.BackupCodes != p.typed || p.typed > codes {
		p.Errorf("%d backup codes were typed, where %d may be; %d are left", p.typed, codes, user.BackupCodes)
	}
	if r.flow.check != nil {
		r.flow.check(p, user)
	}
	p.holds(user, lost)
	for _, by := range append(slices.Collect(maps.Values(p.sessions)), p.ticketBy...) {
		if r.flow.secondFactor && by != "attemptSecondFactor" {
			p.Errorf("%s gave a session without a second factor", by)
		}
	}
	p.usedUp()
	again := p.a.do(p, "signIn", map[string]any{"email": p.email, "password": p.password}).typename()
	if want := map[bool]string{false: r.mode.success, true: "SecondFactorRequired"}[r.flow.secondFactor]; again != want {
		p.Errorf("who signs in with the password is answered %s, want %s", again, want)
	}
}

// holds holds that the sessions and tickets that the person got are good, and that there are no others, but for what was lost.
func (p *person) holds(user clerkemu.User, lost int) {
	p.Helper()
	active := activeSessions(p.clerk, user.ID)
	for id := range p.sessions {
		if !active[id] {
			p.Errorf("the session %s is not active", id)
		}
		delete(active, id)
	}
	others := len(active)
	for _, ticket := range p.clerk.SignInTokens(user.ID) {
		if ticket.Status == "pending" {
			others++
		}
	}
	if others -= len(p.tickets); others > lost {
		p.Errorf("%d sessions or tickets are nobody's, where %d may be", others, lost)
	}
	for _, ticket := range p.tickets {
		if status := redeem(p, p.clerk, ticket); status != http.StatusOK {
			p.Errorf("redeeming the ticket: status %d", status)
		}
	}
}

// usedUp holds that nothing that was sent to prove something gives another session.
func (p *person) usedUp() {
	p.Helper()
	for _, sent := range p.oneTime {
		if again := p.a.do(p, sent.name, sent.input); again.typename() == p.mode.success {
			p.Errorf("%s gave a second session", sent.name)
		}
	}
}
