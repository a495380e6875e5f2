// Package clerksvc is the Clerk service layer. It has the flows (sign-up, verification, sign-in, second factor, password
// reset, sessions) as methods of [Service], and Clerk's APIs, one thin method per endpoint, as [API] and [FrontendAPI].
//
// The flows decide everything: what is checked, in which order, and what may be told to whom. They know nothing of
// GraphQL or HTTP servers. What a later step must know travels in a sealed handle (see internal/seal), so that any process
// can go on where another stopped; each keeps nothing but how often things were done, and how long they took. And they hold these rules, whatever
// Clerk answers:
//
//  1. No session without every proof: a verified address, the right password or reset code, and the second factor where
//     the account has one.
//  2. An unfinished sign-up neither blocks nor hijacks an address.
//  3. signIn and requestPasswordReset answer alike whether or not an account exists, and so does signUp if it is strict.
//  4. A new password that Clerk refuses costs no new code.
//  5. A call that may have happened is never blindly repeated.
//  6. A reset ends the other sessions, and a banned or locked user gets none.
//  7. Passwords, codes, tokens, handles and whole addresses reach no log and no error.
package clerksvc

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"clerkql/internal/pseudonym"
	"clerkql/internal/ratelimit"
	"clerkql/internal/seal"
	"clerkql/internal/secret"
)

// SessionMode says what a finished sign-in gives.
type SessionMode string

const (
	// ModeAuto is ModeTicket with a production key (sk_live_), ModeSession otherwise.
	ModeAuto SessionMode = "auto"
	// ModeSession gives a session and its token. Clerk creates sessions on development instances only.
	ModeSession SessionMode = "session"
	// ModeTicket gives a sign-in token that one of Clerk's own SDKs redeems. It works on every instance.
	ModeTicket SessionMode = "ticket"
	// ModeExchange gives a session and its token, for which it redeems a sign-in token itself at Clerk's Frontend API. It works
	// on every instance whose Native API is on.
	ModeExchange SessionMode = "exchange"
)

// Resolve returns the mode itself, or what ModeAuto stands for with this key.
func (m SessionMode) Resolve(secretKey secret.String) SessionMode {
	switch {
	case m != ModeAuto:
		return m
	case strings.HasPrefix(secretKey.Reveal(), "sk_live_"):
		return ModeTicket
	default:
		return ModeSession
	}
}

const defaultTicketLife = time.Minute

// Config is what a Service is made of. API, Keys, Pseudonyms, Logger, Now, SessionMode, PasswordPolicy and Timeout are required.
type Config struct {
	API *API
	// FrontendAPI is required in ModeExchange, and used there alone.
	FrontendAPI *FrontendAPI
	Keys        *seal.Keyring
	// Pseudonyms name addresses and clients in budgets, handles and the log.
	Pseudonyms *pseudonym.Hasher
	Logger     *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// SessionMode is ModeSession, ModeTicket or ModeExchange.
	SessionMode SessionMode
	// PasswordPolicy is what new passwords are checked against before Clerk is asked.
	PasswordPolicy PasswordPolicy
	// Timeout bounds one mutation with all its calls to Clerk; cleaning up after one that failed takes up to 5 seconds more. A
	// mutation whose client goes away still runs to its end, so that nothing is left half-done.
	Timeout time.Duration
	// Issuer is the iss that session tokens must have, the URL of the Frontend API. When it is empty, Clerk is asked.
	Issuer string
	// AuthorizedParties are the origins that a session token's azp may name. Empty allows every origin. A token without
	// azp, as the Backend API mints them, is of no origin and passes.
	AuthorizedParties []string
	// CodeAttempts is how many times the Clerk instance lets a code be tried, which Clerk does not tell. 0 is unknown.
	CodeAttempts int
	// TicketLife is how long a ticket can be redeemed, to the second; 0 is a minute. A ticket passes every check at Clerk, so it should
	// live just long enough to get there.
	TicketLife time.Duration
	// AnswerFloor is how long an answer that must not tell whether an account exists takes at least. Where Clerk makes
	// such answers take longer, that is learned. At most 2 seconds.
	AnswerFloor time.Duration
	// Limits is how often things may be done; nil is as often as Clerk lets them.
	Limits *Limits
	// Quota is how many calls Clerk allows, shared by all that call it for the instance; nil: Clerk says when it has had too many.
	Quota ratelimit.Quota
	// Concurrency is how many mutations may be calling Clerk at a time; 0 is 256. Others wait a moment for their turn, and are refused then.
	Concurrency uint
	// CheckNewDevices has a sign-in with a password alone ask for a mailed code, unless the device is known.
	CheckNewDevices bool
	// StrictSignUp: sign-ups do not tell whether an address is somebody's, nor do the mutations that go on from them.
	StrictSignUp bool
}

// Service runs the flows. It is safe for concurrent use, and keeps nothing but the instance's public keys, a count of the attempts
// at second factors, and how long calls took.
type Service struct {
	api           *API
	gate          *gate
	frontend      *FrontendAPI
	keys          *seal.Keyring
	pseudonyms    *pseudonym.Hasher
	limiter       *limiter
	tokens        *tokenVerifier
	secondFactors *attemptLimiter
	log           *slog.Logger
	now           func() time.Time
	mode          SessionMode
	policy        PasswordPolicy
	timeout       time.Duration
	codeAttempts  int
	ticketLife    time.Duration

	// How long the answers take that must not tell whether an account exists.
	signInPace, requestResetPace, resetPace, verifyPace, resendPace *pace

	signUpPaces []*pace // by signUpPath

	strictSignUp, checkNewDevices bool
}

// New returns a Service. It makes no call. The error names a field of cfg that can't be.
func New(cfg Config) (*Service, error) {
	if !slices.Contains([]SessionMode{ModeSession, ModeTicket, ModeExchange}, cfg.SessionMode) {
		return nil, fmt.Errorf("clerksvc: there is no session mode %q", cfg.SessionMode)
	}
	if cfg.SessionMode == ModeExchange && cfg.FrontendAPI == nil {
		return nil, errors.New("clerksvc: session mode exchange needs the FrontendAPI")
	}
	if cfg.API == nil || cfg.Keys == nil || cfg.Pseudonyms == nil || cfg.Logger == nil || cfg.Now == nil || cfg.Timeout <= 0 {
		return nil, errors.New("clerksvc: API, Keys, Pseudonyms, Logger, Now and Timeout are required")
	}
	return &Service{
		limiter:          newLimiter(cfg),
		api:              cfg.API,
		gate:             newGate(cfg),
		frontend:         cfg.FrontendAPI,
		keys:             cfg.Keys,
		pseudonyms:       cfg.Pseudonyms,
		tokens:           newTokenVerifier(cfg),
		secondFactors:    newAttemptLimiter(cfg.Now),
		log:              cfg.Logger,
		now:              cfg.Now,
		mode:             cfg.SessionMode,
		policy:           cfg.PasswordPolicy,
		timeout:          cfg.Timeout,
		codeAttempts:     cfg.CodeAttempts,
		signInPace:       newPace(cfg.AnswerFloor),
		requestResetPace: newPace(cfg.AnswerFloor),
		resetPace:        newPace(cfg.AnswerFloor),
		signUpPaces:      newSignUpPaces(cfg.AnswerFloor),
		verifyPace:       newPace(cfg.AnswerFloor),
		resendPace:       newPace(cfg.AnswerFloor),
		strictSignUp:     cfg.StrictSignUp,
		ticketLife:       cmp.Or(cfg.TicketLife, defaultTicketLife),
		checkNewDevices:  cfg.CheckNewDevices,
	}, nil
}

// Close ends what the service does in the background, which is to renew the instance's keys. Nothing may be asked of it any more.
func (s *Service) Close() {
	s.tokens.cancel()
	s.tokens.running.Wait()
}

// PasswordPolicy returns what a new password must satisfy.
func (s *Service) PasswordPolicy() PasswordPolicy { return s.policy }
