package e2e

import (
	"time"

	"clerkql/clerkemu"
)

// seed gives the person an account, with its password unless it has one.
func (p *person) seed(user clerkemu.UserSeed) {
	p.Helper()
	user.EmailAddress = p.email
	if user.Password == "" {
		user.Password = p.password
	}
	seed(p, p.clerk, user)
}

// live signs in, if that gives a session.
func (p *person) live(password string) member {
	p.Helper()
	if p.mode.success != "SessionCreated" {
		return nil
	}
	session := p.a.want(p, p.mode.success, "signIn", map[string]any{"email": p.email, "password": password})
	p.sessions[session.text("sessionId")] = "before"
	return session
}

func (p *person) toSignUp() {
	p.next = request{name: "signUp", input: map[string]any{"email": p.email, "password": p.password}}
}

// fresh signs up and returns what verifyEmail needs.
func (p *person) fresh() map[string]any {
	p.Helper()
	verify := p.a.signUp(p, p.clerk, p.email, p.password)
	p.address = verify["emailAddressId"]
	return verify
}

// unverified signs up with a password, a while ago, and returns what verifyEmail needs.
func (p *person) unverified(password string) map[string]any {
	p.Helper()
	verify := p.a.signUp(p, p.clerk, p.email, password)
	p.address = verify["emailAddressId"]
	p.clerk.FastForward(31 * time.Second)
	return verify
}

// resent has another code sent and returns what verifyEmail needs.
func (p *person) resent() map[string]any {
	p.Helper()
	sent := p.a.want(p, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": p.address})
	return map[string]any{"emailAddressId": p.address, "verificationId": sent["verificationId"], "code": code(p, p.clerk, p.email)}
}

// step sends the next request, which must be answered with this member, and goes on to the one after that.
func (p *person) step(typename string) {
	p.Helper()
	answered, err := p.ask(p.Context(), "")
	if err != nil || answered.typename() != typename {
		p.Fatalf("%s answered %v, %v, want %s", p.next.name, answered, err, typename)
	}
	p.takes(answered)
}

// unable sends the next request while a call fails, for good, and goes on with the handle that it is answered.
func (p *person) unable(operation string, kind clerkemu.FaultKind) {
	p.Helper()
	inject(p, p.clerk, clerkemu.Fault{Operation: operation, Kind: kind})
	p.step("ServiceUnavailable")
	p.clerk.ClearFaults()
	p.failures = 0
}

// sessionCall is the call that a sign-in makes its session or ticket with.
func (p *person) sessionCall() string {
	if p.mode.session == "session" {
		return "createSession"
	}
	return "CreateSignInToken"
}

// refused holds that a password is not the account's.
func (p *person) refused(password string) {
	p.Helper()
	p.a.want(p, "InvalidCredentials", "signIn", map[string]any{"email": p.email, "password": password})
}

// endedAll holds that the sessions of before have ended.
func (p *person) endedAll(user clerkemu.User) {
	p.Helper()
	active := activeSessions(p.clerk, user.ID)
	for id, by := range p.sessions {
		if by == "before" {
			if active[id] {
				p.Errorf("the session %s of before is active", id)
			}
			delete(p.sessions, id)
		}
	}
}
