// Package doctor checks that a Clerk instance does what the flows need of it, and prints a line for each check: what was found
// and, where that is not good enough, how to mend it.
//
// It looks first, and creates nothing by that. Then it asks, and tries things out with a user of its own, which it deletes in the
// end, with the sessions and tickets that it made: also when a check fails, when the answer to a call is lost, and when it is
// interrupted. It deletes no user but one that carries its mark. Nothing that it prints is secret: no key, code, token, ticket or
// address.
package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// Config says which Clerk instance to check, and what for. FrontendAPI is used in session mode exchange alone, Issuer and
// EmailAddress may be empty, and everything else is required.
type Config struct {
	API         *clerksvc.API
	FrontendAPI *clerksvc.FrontendAPI
	// Viewer verifies a session token, as the API does it for its clients.
	Viewer func(context.Context, clerksvc.Client, secret.String) (*clerksvc.Viewer, error)
	// ProductionKey: the secret key says that it is a production instance's.
	ProductionKey bool
	// SessionMode is what is to work: ModeSession, ModeTicket or ModeExchange.
	SessionMode clerksvc.SessionMode
	// Issuer is the iss that session tokens are held to. Empty: what Clerk says.
	Issuer string
	// EmailAddress is what the user gets, and Clerk mails a code to it. Empty: an address that is made up. Clerk mails nothing to it
	// in a development instance, which is in test mode; in a production instance, no code is asked for then.
	EmailAddress secret.String
	// Confirm asks a person. It must return when the context ends.
	Confirm func(ctx context.Context, question string) bool
	// Out is where the lines go.
	Out io.Writer
}

// Run checks the instance. The error says how many checks failed, that a person did not let it try, or that ctx ended before the last
// check.
func Run(ctx context.Context, cfg Config) error {
	e := &examination{Config: cfg, production: cfg.ProductionKey, password: newPassword(), mark: rand.Text()}
	e.run(ctx, ctx, e.looks())
	e.ask(ctx)
	// A call that creates something is not cut off: it would not be known what it created.
	e.run(ctx, context.WithoutCancel(ctx), e.trials())
	e.tell("clean-up", e.cleanUp(ctx))
	switch {
	case e.failures > 0:
		return fmt.Errorf("%d of %d checks failed", e.failures, e.told)
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case e.declined:
		return errors.New("nothing was tried out")
	}
	return nil
}

// newPassword returns a password that satisfies every rule that Clerk can be told to have.
func newPassword() secret.String { return secret.New("aA1!" + rand.Text()) }

// examination is one run.
type examination struct {
	Config
	told, failures int
	// stopped is why the checks to come are skipped; empty while they are not.
	stopped string
	// declined: a person did not want anything to be created.
	declined bool

	// What the looks find.
	instance    *clerksvc.Instance
	instanceErr error
	production  bool
	readings    []reading

	// The user to try things out with.
	password       secret.String
	mark           string // in the user's private metadata
	mayExist       bool   // the user may have been created
	userID         string // empty until it is known
	emailAddressID string
	verification   *clerksvc.Verification // a code that was sent; nil without one

	signedIn bool // the session mode works

	// What is left to be ended.
	ticketID     string
	mayBeSession bool
}

// check is one line of the report.
type check struct {
	name string
	run  func(context.Context) finding
}

// looks are the checks that create nothing.
func (e *examination) looks() []check {
	return []check{
		{"Backend API", e.backendAPI},
		{"secret key", e.secretKey},
		{"environment", e.environment},
		{"Frontend API", e.frontendAPI},
		{"signing keys", e.signingKeys},
		{"latency", e.latency},
		{"clock", e.clock},
	}
}

// trials are the checks that take a user.
func (e *examination) trials() []check {
	return []check{
		{"reserved status", e.reservedStatus},
		{"find by address", e.findByAddress},
		{"send a code", e.sendCode},
		{"wrong code", e.wrongCode},
		{"right code", e.rightCode},
		{"right password", e.rightPassword},
		{"wrong password", e.wrongPassword},
		{"session mode", e.sessionMode},
		{"second factor", e.secondFactor},
	}
}

// run makes checks one after the other, whose calls run in callCtx, until ctx ends.
func (e *examination) run(ctx, callCtx context.Context, checks []check) {
	for _, c := range checks {
		if ctx.Err() != nil {
			e.stopped = "interrupted"
		}
		if e.stopped != "" {
			e.tell(c.name, skip(e.stopped))
			continue
		}
		found := c.run(callCtx)
		if found.verdict == failed && callCtx.Err() != nil {
			found = skip("interrupted")
		}
		e.tell(c.name, found)
	}
}

// ask asks whether to create something, unless there is no reason to.
func (e *examination) ask(ctx context.Context) {
	if e.stopped != "" || ctx.Err() != nil {
		return
	}
	var question strings.Builder
	question.WriteString("The other checks create a user, which is deleted again, with a session or a ticket")
	if e.EmailAddress.Reveal() != "" {
		question.WriteString(", and have Clerk mail a code to the address that you gave")
	}
	question.WriteString(". The webhooks of the instance will hear of it.")
	if e.production {
		question.WriteString(" This is a production instance.")
	}
	if !e.Confirm(ctx, question.String()) {
		e.stopped, e.declined = "you did not agree", true
	}
}

// address returns the address of the user. What is made up is of a domain that nobody reads mail of, and a test address where
// Clerk knows test addresses.
func (e *examination) address() string {
	name := namePrefix + strings.ToLower(e.mark)
	switch given := e.EmailAddress.Reveal(); {
	case given != "":
		return given
	case e.production:
		return name + "@example.com"
	default:
		return name + "+clerk_test@example.com"
	}
}

// namePrefix begins every address that is made up, so that a person can find what was left behind.
const namePrefix = "clerkql-doctor-"
