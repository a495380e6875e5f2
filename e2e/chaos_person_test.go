package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// request is what a client sends: a mutation, or the query viewer, with its sessions or without.
type request struct {
	name  string
	input map[string]any
	token string // session token of who sends it; empty: of nobody
}

// maxTries bounds how often somebody tries again before giving up: far more often than any row needs.
const maxTries = 8

// person has an account, and goes through a flow as the schema tells clients to: it knows what it typed and what it was answered, and
// nothing of what happened at Clerk.
type person struct {
	testing.TB
	a     *api
	clerk *clerkemu.Server
	mode  mode

	strict          bool // no answer says that there is no code
	email, password string
	passwords       []string // those to reset to, in order; the last is password
	backupCodes     []string // on paper, the next one first
	strategy        string   // of second factors
	goals           []string // the members that the person is content with

	next    request
	address any // emailAddressId

	// What the person got and did, for those who check it.
	sessions map[string]string // by id, the mutation that gave each
	tickets  []string
	ticketBy []string // the mutation that gave each
	mails    int      // how many were asked for
	typed    int      // how many backup codes
	oneTime  []request
	resumes  bool // with a handle in which a code is proved
	mailed   int  // mails that had come before the last request
	// mailedBefore are the mails that had come before the flow's request.
	mailedBefore int
	failures     int // answers in a row that said to try again
}

// ask sends the next request and returns what came back. A GraphQL error that is not documented is an error.
func (p *person) ask(ctx context.Context, id string) (member, error) {
	header := http.Header{}
	if id != "" {
		header.Set("X-Request-Id", id)
	}
	if p.next.token != "" {
		header.Set("Authorization", "Bearer "+p.next.token)
	}
	p.note()
	switch p.next.name {
	case "viewer":
		return p.askViewer(ctx, header, viewerDocument)
	case "viewer.sessions":
		return p.askViewer(ctx, header, sessionsDocument)
	}
	return p.a.ask(ctx, header, p.next.name, p.next.input)
}

// askViewer gives the errors of viewer that are documented the names of the members that mutations have for them.
func (p *person) askViewer(ctx context.Context, header http.Header, document string) (member, error) {
	body, err := json.Marshal(map[string]any{"query": document})
	if err != nil {
		return nil, err
	}
	got, err := p.a.send(ctx, string(body), header)
	if err != nil {
		return nil, err
	}
	switch got.errorCode() {
	case "":
		return member{"__typename": "Viewer"}, nil
	case "SERVICE_UNAVAILABLE":
		return member{"__typename": "ServiceUnavailable", "retryAfterSeconds": 1.0}, nil
	case "RATE_LIMITED":
		return member{"__typename": "RateLimited", "retryAfterSeconds": 1.0}, nil
	}
	return nil, fmt.Errorf("status %d: %s", got.Status, got.Raw)
}

// note keeps what the person is about to ask for.
func (p *person) note() {
	p.mailed = len(p.clerk.Mail(p.email))
	switch p.next.name {
	case "signUp", "resendVerification", "requestPasswordReset", "prepareSecondFactor":
		p.mails++
	case "signIn":
		if user, _ := p.clerk.UserByEmail(p.email); !user.Verified {
			p.mails++
		}
	case "verifyEmail", "attemptSecondFactor":
		p.oneTime = append(p.oneTime, p.next)
	case "resetPassword": // with the same password it is good for another session
		once := request{name: p.next.name, input: maps.Clone(p.next.input)}
		once.input["newPassword"] = "an engine too many"
		p.oneTime = append(p.oneTime, once)
	}
}

// change has the next request sent with another value.
func (p *person) change(field string, value any) {
	p.next.input = maps.Clone(p.next.input)
	p.next.input[field] = value
}

// goOn sends requests until the person is content.
func (p *person) goOn() {
	p.Helper()
	var story []string
	for range maxTries {
		asked := p.next.name
		answered, err := p.ask(p.Context(), "")
		if err != nil {
			p.Fatalf("%v: %s: %v", story, asked, err)
		}
		story = append(story, asked+": "+answered.typename())
		if answered.typename() == "ServiceUnavailable" && asked != "viewer" { // which asks for keys once in a second
			p.Fatalf("%v, though Clerk is well again", story)
		}
		if p.takes(answered) {
			return
		}
		if p.Failed() {
			p.Fatalf("%v", story)
		}
	}
	p.Fatalf("gave up: %v", story)
}

// takes has the person do what the schema says of an answer, and reports whether that was the end of it. What no answer is expected to be
// fails the test.
func (p *person) takes(answered member) (content bool) {
	p.Helper()
	asked := p.next.name
	typename := answered.typename()
	switch typename {
	case "SessionCreated":
		p.sessions[answered.text("sessionId")] = asked
	case "SignInTicketIssued":
		p.tickets, p.ticketBy = append(p.tickets, answered.text("ticket")), append(p.ticketBy, asked)
	}
	if slices.Contains(p.goals, typename) {
		return true
	}
	switch typename {
	case "RateLimited", "ServiceUnavailable":
		p.waitFor(answered["retryAfterSeconds"])
		if resume := answered["resumeSignInId"]; resume != nil {
			p.change("signInId", resume)
			p.resumes = true
		}
		return false
	}
	p.failures = 0
	switch typename {
	case "VerificationRequired", "VerificationSent":
		if id := answered["emailAddressId"]; id != nil {
			p.address = id
		}
		p.verifyIfMailed(answered["verificationId"])
	case "EmailNotVerified":
		p.address = answered["emailAddressId"]
		if answered["verificationId"] != nil {
			p.verify(answered["verificationId"])
			break
		}
		p.waitFor(answered["resendAfterSeconds"])
		p.next = request{name: "resendVerification", input: map[string]any{"emailAddressId": p.address}}
	case "AlreadyVerified":
		p.signIn()
	case "PasswordResetSent":
		p.reset(answered["signInId"])
	case "PasswordRejected":
		p.passwords = p.passwords[1:]
		p.change("signInId", answered["signInId"])
		p.change("newPassword", p.passwords[0])
	case "SecondFactorRequired":
		p.secondFactor(answered["signInId"])
	case "SecondFactorPrepared":
		p.next = request{name: "attemptSecondFactor", input: attempt(answered["signInId"], "EMAIL_CODE", code(p, p.clerk, p.email))}
	case "VerificationExpired", "InvalidCode":
		if p.resumes {
			p.Errorf("%s: %s, though the code was accepted before", asked, typename)
		}
		if typename == "InvalidCode" {
			p.anotherCode(asked)
		} else {
			p.beginAgain(asked)
		}
	default:
		p.Errorf("%s: nobody can go on from %v", asked, answered)
	}
	return false
}

// waitFor lets the time pass that an answer asks for: at Clerk, for the pause between two mails; and in earnest, if that was of no use.
func (p *person) waitFor(seconds any) {
	wait, _ := seconds.(float64)
	if wait < 1 {
		p.Errorf("no time to wait: %v", seconds)
	}
	switch p.next.name {
	case "signUp", "resendVerification", "signIn", "requestPasswordReset", "prepareSecondFactor":
		p.clerk.FastForward(time.Duration(wait+1) * time.Second)
	}
	if p.failures++; p.failures > 1 || p.next.name == "viewer" {
		time.Sleep(chaosPause)
	}
}

func (p *person) signIn() {
	p.next = request{name: "signIn", input: map[string]any{"email": p.email, "password": p.password}}
}

// verifyIfMailed enters the code that goes with an answer that says that there is one. Where sign-ups are strict, there may be none: then the
// person waits and asks again.
func (p *person) verifyIfMailed(verificationID any) {
	switch mailed := len(p.clerk.Mail(p.email)) > p.mailed; {
	case mailed:
		p.verify(verificationID)
	case p.strict:
		p.waitFor(30.0)
	default:
		p.Error("no code was mailed")
	}
}

// verify enters the code that came last.
func (p *person) verify(verificationID any) {
	p.next = request{name: "verifyEmail", input: map[string]any{
		"emailAddressId": p.address, "verificationId": verificationID, "code": code(p, p.clerk, p.email),
	}}
}

// reset enters the code that came last. If none came, another is asked for.
func (p *person) reset(signInID any) {
	mail := p.clerk.Mail(p.email)
	if len(mail) == p.mailed {
		p.waitFor(30.0)
		return
	}
	p.next = request{name: "resetPassword", input: map[string]any{
		"signInId": signInID, "code": mail[0].Code, "newPassword": p.passwords[0],
	}}
}

func (p *person) secondFactor(signInID any) {
	switch p.strategy {
	case "EMAIL_CODE":
		p.next = request{name: "prepareSecondFactor", input: map[string]any{"signInId": signInID, "strategy": "EMAIL_CODE"}}
	case "BACKUP_CODE":
		p.next = request{name: "attemptSecondFactor", input: attempt(signInID, p.strategy, p.backupCode())}
	default:
		p.next = request{name: "attemptSecondFactor", input: attempt(signInID, "TOTP", totpCode(p, p.clerk, p.email))}
	}
}

func (p *person) backupCode() string {
	if p.typed == len(p.backupCodes) {
		p.Fatal("all backup codes are used up")
	}
	p.typed++
	return p.backupCodes[p.typed-1]
}

// beginAgain is what is left where a code, or what it goes with, can't be used any more.
func (p *person) beginAgain(asked string) {
	switch asked {
	case "verifyEmail":
		p.next = request{name: "resendVerification", input: map[string]any{"emailAddressId": p.address}}
	case "resetPassword":
		p.next = request{name: "requestPasswordReset", input: map[string]any{"email": p.email}}
	case "prepareSecondFactor", "attemptSecondFactor":
		p.signIn()
	default:
		p.Errorf("%s: what has expired?", asked)
	}
}

// anotherCode is what is left where a code is not accepted that was typed right.
func (p *person) anotherCode(asked string) {
	switch {
	case asked == "resetPassword":
		p.beginAgain(asked)
	case asked == "attemptSecondFactor" && p.strategy == "BACKUP_CODE":
		p.change("code", p.backupCode())
	default:
		p.Errorf("%s: the right code is called wrong", asked)
	}
}
