package clerksvc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"clerkql/internal/pseudonym"
	"clerkql/internal/ratelimit"
)

// Limits is how often things may be done, and by whom. A budget is charged before Clerk is called, once for each mutation however many
// a request has, and whether or not an account exists (rule 3).
type Limits struct {
	Store ratelimit.Store
	// Known has the identifiers and IPs that somebody signed in with.
	Known ratelimit.Marks
	// PerIP bounds all mutations of a client, without those of a session that holds, which PerSession does: many people who are signed in
	// can have one IP, and each of them needs a new session token every minute.
	PerIP, PerSession ratelimit.Budget
	// SignInsPerIP and SignInsPerIdentifier bound tries at passwords. An IP from which somebody signed in with an identifier has budgets
	// of its own for it, here and for its mails, so that others do not keep its owner out.
	SignInsPerIP, SignInsPerIdentifier ratelimit.Budget
	SignUpsPerIP                       ratelimit.Budget
	// MailsPerIP bounds the mails that a client asks for, so that few clients can't spend Mails.
	MailsPerIP ratelimit.Budget
	// MailsPerAddress are the pause between two mails to an address, and how many there may be in a longer time. Mails bounds those to
	// all addresses together, and once more those that known clients ask for.
	MailsPerAddress [2]ratelimit.Budget
	Mails           ratelimit.Budget
	// CodesPerHandle bounds tries at the code that goes with a handle.
	CodesPerHandle ratelimit.Budget
}

//nolint:gochecknoglobals // budgets that are no settings, as flows rest on them
var (
	// secondFactorsPerAccount bounds tries at the second factors of an account. It takes the password to have one.
	secondFactorsPerAccount = ratelimit.Budget{Count: 2 * maxWrongCodesOfUser, Per: wrongCodesWindow}
	// once is a budget that is spent for longer than a sign-in can last.
	once = ratelimit.Budget{Count: 1, Per: 2 * signInLife}
)

// limiter charges budgets. A nil limiter has none. Addresses come to it as pseudonyms, because a handle tells no more.
type limiter struct {
	Limits
	pseudonyms *pseudonym.Hasher
	log        *slog.Logger
}

func newLimiter(cfg Config) *limiter {
	if cfg.Limits == nil {
		return nil
	}
	return &limiter{Limits: *cfg.Limits, pseudonyms: cfg.Pseudonyms, log: cfg.Logger}
}

// take takes one from every budget, or returns *RateLimitedError. A store that can't be asked, which one that falls back never is, lets
// nothing through.
func (l *limiter) take(ctx context.Context, charges ...ratelimit.Charge) error {
	decision, err := l.Store.Take(ctx, charges)
	switch {
	case err != nil:
		l.log.ErrorContext(ctx, "rate limits can't be asked", slog.String("error", err.Error()))
		return &UnavailableError{RetryAfter: defaultRetryAfter, cause: err}
	case !decision.OK:
		return &RateLimitedError{RetryAfter: decision.RetryAfter}
	}
	return nil
}

func (l *limiter) ip(client Client) string {
	addr, _ := netip.ParseAddr(client.IP) // one that is none is the zero Addr, which is one client
	return l.pseudonyms.IP(addr)
}

// client charges for a mutation, whatever it is. It comes first.
func (l *limiter) client(ctx context.Context, client Client) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, ratelimit.Charge{Key: "client " + l.ip(client), Budget: l.PerIP})
}

// signIn charges for a try at a password.
func (l *limiter) signIn(ctx context.Context, client Client, identifier string) error {
	if l == nil {
		return nil
	}
	return l.take(ctx,
		ratelimit.Charge{Key: "sign-in " + l.ip(client), Budget: l.SignInsPerIP},
		ratelimit.Charge{Key: "sign-in " + l.payer(ctx, client, identifier), Budget: l.SignInsPerIdentifier})
}

// signUp charges for a sign-up and its mail.
func (l *limiter) signUp(ctx context.Context, client Client, identifier string) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, append(l.mails(ctx, client, identifier),
		ratelimit.Charge{Key: "sign-up " + l.ip(client), Budget: l.SignUpsPerIP})...)
}

// mail charges for a mail to an address.
func (l *limiter) mail(ctx context.Context, client Client, identifier string) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, l.mails(ctx, client, identifier)...)
}

func (l *limiter) mails(ctx context.Context, client Client, identifier string) []ratelimit.Charge {
	payer, all := l.payer(ctx, client, identifier), "mail"
	if payer != identifier {
		all = "mail known" // or whoever has many clients could spend it for all owners
	}
	return []ratelimit.Charge{
		// The pause is Clerk's too, which knows no clients.
		{Key: "mail-pause " + identifier, Budget: l.MailsPerAddress[0]},
		{Key: "mail " + payer, Budget: l.MailsPerAddress[1]},
		{Key: "mail " + l.ip(client), Budget: l.MailsPerIP},
		{Key: all, Budget: l.Mails},
	}
}

// payer returns who pays for what is done with an identifier: the identifier, for all clients together, or a client from which somebody signed
// in with it, so that others can't keep it from its owner.
func (l *limiter) payer(ctx context.Context, client Client, identifier string) string {
	known := l.knownClient(client, identifier)
	if marked, err := l.Known.Marked(ctx, known); err == nil && marked {
		return known
	}
	return identifier
}

// know remembers that somebody signed in from a client. If it can't, the client has the budget of all others.
func (l *limiter) know(ctx context.Context, client Client, identifier string) {
	if l != nil {
		_ = l.Known.Mark(ctx, l.knownClient(client, identifier))
	}
}

func (l *limiter) knownClient(client Client, identifier string) string {
	return l.pseudonyms.Subject(identifier + l.ip(client))
}

// code charges for a try at the code that goes with a handle.
func (l *limiter) code(ctx context.Context, handle string) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, l.tryAt(handle))
}

func (l *limiter) tryAt(handle string) ratelimit.Charge {
	return ratelimit.Charge{Key: "code " + l.pseudonyms.Subject(handle), Budget: l.CodesPerHandle}
}

// secondFactor charges for a try at the code of an unfinished sign-in, by sign-in and by account. So replicas count together what attemptLimiter
// counts in one process.
func (l *limiter) secondFactor(ctx context.Context, signIn secondFactorHandle) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, l.tryAt(signIn.ID),
		ratelimit.Charge{Key: "second-factor " + l.pseudonyms.Subject(signIn.UserID), Budget: secondFactorsPerAccount})
}

// useSignIn uses an unfinished sign-in up, right before it gives its session. The error is ErrVerificationExpired if another replica did.
func (l *limiter) useSignIn(ctx context.Context, signIn secondFactorHandle) error {
	if l == nil {
		return nil
	}
	name := fmt.Sprintf("%s %d", signIn.ID, signIn.Resumed)
	err := l.take(ctx, ratelimit.Charge{Key: "use " + l.pseudonyms.Subject(name), Budget: once})
	if errors.As(err, new(*RateLimitedError)) {
		return ErrVerificationExpired
	}
	return err
}

// session charges for what is done with a session.
func (l *limiter) session(ctx context.Context, id string) error {
	if l == nil {
		return nil
	}
	return l.take(ctx, ratelimit.Charge{Key: "session " + l.pseudonyms.Subject(id), Budget: l.PerSession})
}

// stranger charges a client for a token that was refused, and returns why it was: a session that is none pays for nothing.
func (l *limiter) stranger(ctx context.Context, client Client, refusal error) error {
	if l == nil {
		return refusal
	}
	return cmp.Or(l.client(ctx, client), refusal)
}
