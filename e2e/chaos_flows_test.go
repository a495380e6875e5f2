package e2e

import (
	"slices"

	"clerkql/clerkemu"
)

// leakedPassword is one that Clerk refuses, and nobody else.
const leakedPassword = "correcthorsebatterystaple"

// chaosFlow is a request that has Clerk called, in the middle of what a person does.
type chaosFlow struct {
	name  string
	modes []string // in which it makes calls of its own
	flags []string // of the server
	// alone: the server must not have run before.
	alone bool
	// standing are faults that Clerk has anyhow.
	standing []clerkemu.Fault
	// begin brings a person to the request, which is left in next.
	begin func(p *person)
	// answer is what the request is answered when nothing else fails.
	answer string
	// secondFactor: no session without one.
	secondFactor bool
	// strict: sign-ups do not tell whether a code was sent.
	strict bool
	// cleansUp is the operation that undoes what the request has done in vain.
	cleansUp string
	// ended are members that say that what was asked for is so already.
	ended []string
	// check looks at what is peculiar to the flow's end.
	check func(p *person, user clerkemu.User)
}

var (
	oneMode  = []string{"session"}
	allModes = []string{"session", "ticket", "exchange"}
)

// chaosFlows returns every flow: together they have every mutation, and every call that each of them makes. Those that take longest come first.
func chaosFlows() []chaosFlow {
	return slices.Concat(signUpFlows(), resetFlows(), signInFlows(), sessionFlows())
}

func signUpFlows() []chaosFlow {
	const other = "somebody else's engine"
	strict := []string{"--sign-up-disclosure=strict"}
	lost := clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultDropAfterEffect, Times: 1}
	names := func(p *person) { p.next.input["firstName"] = "Ada" }
	return []chaosFlow{
		{
			name: "signUp, in place of another", modes: oneMode, answer: "VerificationRequired",
			begin: func(p *person) {
				p.oneTime = append(p.oneTime, request{name: "verifyEmail", input: p.unverified(other)})
				p.toSignUp()
			},
			check: func(p *person, _ clerkemu.User) { p.refused(other) },
		},
		{
			name: "signUp, in place of another, with a lost answer", modes: oneMode, standing: []clerkemu.Fault{{
				Operation: "CreateUser", Kind: clerkemu.FaultDropAfterEffect, Times: 1, Skip: 1,
			}}, answer: "VerificationRequired",
			begin: func(p *person) { p.unverified(other); p.toSignUp() },
			check: func(p *person, _ clerkemu.User) { p.refused(other) },
		},
		{name: "signUp", modes: oneMode, begin: (*person).toSignUp, answer: "VerificationRequired"},
		{name: "signUp, whose user is made and not told", modes: oneMode, begin: (*person).toSignUp, standing: []clerkemu.Fault{lost}, answer: "VerificationRequired"},
		{name: "signUp, going on", modes: oneMode, begin: func(p *person) { p.unverified(p.password); p.toSignUp() }, answer: "VerificationRequired"},
		{
			name: "signUp, going on by another name", modes: oneMode, answer: "VerificationRequired",
			begin: func(p *person) { p.unverified(p.password); p.toSignUp(); names(p) },
			check: func(p *person, user clerkemu.User) {
				if user.FirstName != "Ada" {
					p.Errorf("the name is %q", user.FirstName)
				}
			},
		},
		{name: "verifyEmail", modes: allModes, begin: func(p *person) { p.next = request{name: "verifyEmail", input: p.fresh()} }},
		{name: "verifyEmail, with a second code", modes: oneMode, begin: func(p *person) {
			p.unverified(p.password)
			p.next = request{name: "verifyEmail", input: p.resent()}
		}},
		{name: "resendVerification", modes: oneMode, begin: func(p *person) {
			p.unverified(p.password)
			p.next = request{name: "resendVerification", input: map[string]any{"emailAddressId": p.address}}
		}, answer: "VerificationSent"},
		// Not one that goes on: each answer would be held back for as long as the slowest sign-up took that went on.
		{name: "signUp, strict", modes: oneMode, flags: strict, strict: true, begin: (*person).toSignUp, answer: "VerificationRequired"},
		{name: "verifyEmail, strict", modes: oneMode, flags: strict, strict: true, begin: func(p *person) { p.next = request{name: "verifyEmail", input: p.fresh()} }},
		{name: "resendVerification, strict", modes: oneMode, flags: strict, strict: true, begin: func(p *person) {
			p.unverified(p.password)
			p.next = request{name: "resendVerification", input: map[string]any{"emailAddressId": p.address}}
		}, answer: "VerificationSent"},
		{name: "signIn, not verified", modes: oneMode, begin: func(p *person) { p.unverified(p.password); p.signIn() }, answer: "EmailNotVerified"},
	}
}

func signInFlows() []chaosFlow {
	byMail := []string{"--new-device-check=email_code"}
	half := func(p *person) {
		p.seed(clerkemu.UserSeed{TOTPSecret: totpSecret, BackupCodes: p.backupCodes})
		p.signIn()
		p.step("SecondFactorRequired")
	}
	device := func(p *person) {
		p.strategy = "EMAIL_CODE"
		p.seed(clerkemu.UserSeed{})
		p.signIn()
		p.step("SecondFactorRequired")
	}
	return []chaosFlow{
		{name: "signIn", modes: allModes, begin: func(p *person) { p.seed(clerkemu.UserSeed{}); p.signIn() }},
		{
			name: "signIn, in vain", modes: oneMode, cleansUp: "RevokeSession", answer: "ServiceUnavailable",
			standing: []clerkemu.Fault{{Operation: "CreateSessionToken", Kind: clerkemu.FaultStatus}},
			begin:    func(p *person) { p.seed(clerkemu.UserSeed{}); p.signIn() },
		},
		{
			name: "signIn, in vain", modes: []string{"exchange"}, cleansUp: "RevokeSignInToken", answer: "ServiceUnavailable",
			standing: []clerkemu.Fault{{Operation: "fapi.createSignIn", Kind: clerkemu.FaultStatus}},
			begin:    func(p *person) { p.seed(clerkemu.UserSeed{}); p.signIn() },
		},
		{name: "signIn, up to the second factor", modes: oneMode, answer: "SecondFactorRequired", secondFactor: true, begin: func(p *person) {
			p.seed(clerkemu.UserSeed{TOTPSecret: totpSecret, BackupCodes: p.backupCodes})
			p.signIn()
		}},
		{name: "attemptSecondFactor, TOTP", modes: allModes, begin: half, secondFactor: true},
		{name: "attemptSecondFactor, backup code", modes: oneMode, secondFactor: true, begin: func(p *person) { p.strategy = "BACKUP_CODE"; half(p) }},
		{name: "attemptSecondFactor, gone on with", modes: allModes, secondFactor: true, begin: func(p *person) {
			p.strategy = "BACKUP_CODE"
			half(p)
			p.unable(p.sessionCall(), clerkemu.FaultStatus)
		}},
		{name: "prepareSecondFactor", modes: oneMode, flags: byMail, answer: "SecondFactorPrepared", secondFactor: true, begin: device},
		{name: "attemptSecondFactor, mailed code", modes: allModes, flags: byMail, secondFactor: true, begin: func(p *person) {
			device(p)
			p.step("SecondFactorPrepared")
		}},
	}
}

func resetFlows() []chaosFlow {
	toReset := func(p *person, passwords ...string) {
		p.seed(clerkemu.UserSeed{Password: "the engine of before"})
		p.live("the engine of before")
		p.passwords = append(passwords, p.password)
		p.next = request{name: "requestPasswordReset", input: map[string]any{"email": p.email}}
	}
	check := func(p *person, user clerkemu.User) {
		p.refused("the engine of before")
		p.refused(leakedPassword)
		p.endedAll(user)
	}
	return []chaosFlow{
		{name: "requestPasswordReset", modes: oneMode, begin: func(p *person) { toReset(p) }, answer: "PasswordResetSent", check: check},
		{name: "resetPassword", modes: allModes, begin: func(p *person) { toReset(p); p.step("PasswordResetSent") }, check: check},
		{name: "resetPassword, of an account with a second factor", modes: oneMode, answer: "SecondFactorRequired", secondFactor: true, check: check, begin: func(p *person) {
			toReset(p)
			user, _ := p.clerk.UserByEmail(p.email)
			if err := p.clerk.EnableTOTP(user.ID, totpSecret); err != nil {
				p.Fatal(err)
			}
			p.step("PasswordResetSent")
		}},
		{
			name: "resetPassword, with a refused password", modes: oneMode, answer: "PasswordRejected", check: check,
			begin: func(p *person) { toReset(p, leakedPassword); p.step("PasswordResetSent") },
		},
		{
			name: "resetPassword, after a refused password", modes: allModes, check: check,
			begin: func(p *person) { toReset(p, leakedPassword); p.step("PasswordResetSent"); p.step("PasswordRejected") },
		},
		{name: "resetPassword, gone on with", modes: allModes, check: check, begin: func(p *person) {
			toReset(p)
			p.step("PasswordResetSent")
			p.unable("UpdateUser", clerkemu.FaultDropAfterEffect)
		}},
	}
}

func sessionFlows() []chaosFlow {
	// Signed in, with other sessions.
	signedIn := func(p *person, others int) member {
		p.seed(clerkemu.UserSeed{})
		for range others {
			p.live(p.password)
		}
		return p.live(p.password)
	}
	// As somebody whom the server has looked at before, so that it has the keys.
	as := func(p *person, name string, session member) {
		p.next = request{name: name, token: session.text("sessionToken")}
		p.a.viewer(p, bearer(p.next.token))
	}
	ended := func(p *person, user clerkemu.User) { p.endedAll(user) }
	return []chaosFlow{
		{name: "refreshSession", modes: oneMode, answer: "SessionRefreshed", begin: func(p *person) {
			p.next = request{name: "refreshSession", input: map[string]any{"refreshToken": signedIn(p, 1)["refreshToken"]}}
		}},
		{name: "signOut", modes: oneMode, answer: "SignedOut", check: ended, begin: func(p *person) {
			p.next = request{name: "signOut", input: map[string]any{"refreshToken": signedIn(p, 0)["refreshToken"]}}
		}},
		{name: "signOutEverywhere", modes: oneMode, answer: "SignedOutEverywhere", ended: []string{"NotSignedIn"}, check: ended, begin: func(p *person) {
			as(p, "signOutEverywhere", signedIn(p, 2))
		}},
		{
			name: "revokeSession", modes: oneMode, answer: "SessionRevoked", ended: []string{"SessionNotFound"},
			begin: func(p *person) {
				other := signedIn(p, 0)
				as(p, "revokeSession", p.live(p.password))
				p.next.input = map[string]any{"sessionId": other["sessionId"]}
			},
			check: func(p *person, user clerkemu.User) {
				revoked := p.next.input["sessionId"].(string)
				if active := activeSessions(p.clerk, user.ID); active[revoked] || len(active) != 1 {
					p.Errorf("after %s was revoked, these are active: %v", revoked, active)
				}
				delete(p.sessions, revoked)
			},
		},
		{name: "viewer", modes: oneMode, alone: true, answer: "Viewer", begin: func(p *person) {
			p.next = request{name: "viewer", token: signedIn(p, 0).text("sessionToken")}
		}},
		{name: "viewer.sessions", modes: oneMode, answer: "Viewer", begin: func(p *person) {
			as(p, "viewer.sessions", signedIn(p, 1))
		}},
	}
}
