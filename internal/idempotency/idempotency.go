// Package idempotency has a request run once, however often it is sent: a client that got no answer sends it again, with the key that it made up for it, and gets
// the first answer.
//
// A Keeper claims a key for the first request that has it. Others with the key wait until that is done, and then get its answer, which is kept for
// ten minutes. A claim ends by itself, so that a process that is killed does not block a key for long. What the Keeper keeps is in a Store, of
// which there are three:
//
//   - Memory: in this process.
//   - Redis: shared among replicas.
//   - Fallback: a shared store while it answers, and a local one always.
//
// Each keeps a bounded number of answers, and forgets the oldest when more come. A request that runs is not forgotten for that.
//
// Who reads a Store learns nothing from it. Records have keyed hashes for names, and answers are encrypted, with keys that are derived from
// one of the server's and from the client's. The client's is nowhere in the Store, so the server's key alone opens no answer there, nor does it let
// passwords be tried out on the hash of a request.
package idempotency

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"clerkql/internal/ratelimit"
)

const (
	// keepFor is how long an answer is kept.
	keepFor = 10 * time.Minute
	// maxAnswerBytes bounds an answer. The longest that the schema has is some 10 KB.
	maxAnswerBytes = 64 << 10
)

// repeats is how often one key can be sent again. Whoever knows a key, but not its request, could else try out as many as they like: passwords, for one.
var repeats = ratelimit.Budget{Count: 30, Per: keepFor} //nolint:gochecknoglobals // a constant

// Errors of Keeper.Claim.
var (
	// ErrInProgress: the first request with this key has not been answered yet.
	ErrInProgress = errors.New("idempotency: in progress")
	// ErrOtherRequest: the key was used for another request.
	ErrOtherRequest = errors.New("idempotency: the key was used for another request")
)

// TooOftenError is the error of a key that was sent too often.
type TooOftenError struct {
	// RetryAfter is how long to wait.
	RetryAfter time.Duration
}

func (*TooOftenError) Error() string { return "idempotency: the key was sent too often" }

// Answer is what a request was answered.
type Answer struct {
	// Body is the body of the answer.
	Body []byte `json:"body"`
	// Cookies are the values of its Set-Cookie headers.
	Cookies []string `json:"cookies,omitempty"`
}

// Store keeps records under names, until they expire. It is safe for concurrent use.
type Store interface {
	// Claim puts a record under the first of names, for as long as a lease, unless there is one under any of names already: then it returns that one, and the
	// index of its name. The index is -1 if there was none, also if there is no room for the claim, which holds nobody off then.
	Claim(ctx context.Context, names []string, claim string, lease time.Duration) (at int, record string, err error)
	// Finish replaces a claim by a record that is kept for a time. It does nothing if something else is under the name.
	Finish(ctx context.Context, name, claim, record string, keep time.Duration) error
	// Release removes a claim. It does nothing if something else is under the name.
	Release(ctx context.Context, name, claim string) error
}

// Options are what a Keeper is made of. Keys, Store, Lease and Logger are required.
type Options struct {
	// Keys are the server's, of 32 bytes each. The first one names and seals, and what any of them named is found, so that keys can be rotated.
	Keys  [][]byte
	Store Store
	// Lease is how long a claim holds at most. It must be longer than any request takes.
	Lease time.Duration
	// Limiter counts how often a key is sent again. Nil: nobody does.
	Limiter ratelimit.Store
	Logger  *slog.Logger
}

// Keeper keeps answers. It is safe for concurrent use.
type Keeper struct{ opts Options }

// NewKeeper returns a Keeper. It is an error if one of the keys is too short, or there is none.
func NewKeeper(opts Options) (*Keeper, error) {
	if len(opts.Keys) == 0 {
		return nil, errors.New("idempotency: there is no key")
	}
	for i, key := range opts.Keys {
		if len(key) < keyBytes {
			return nil, fmt.Errorf("idempotency: key %d must have at least %d bytes, has %d", i+1, keyBytes, len(key))
		}
	}
	return &Keeper{opts: opts}, nil
}

// Claim claims a client's key for a request, which is the texts that tell it from others. It returns the claim of the first request, or its answer to one that
// came later. The error is ErrInProgress, ErrOtherRequest, *TooOftenError, or that of the Store.
func (k *Keeper) Claim(ctx context.Context, clientKey string, request ...string) (*Claim, *Answer, error) {
	derived := make([]secrets, len(k.opts.Keys))
	names := make([]string, len(k.opts.Keys))
	for i, key := range k.opts.Keys {
		var err error
		if derived[i], err = derive(key, clientKey); err != nil {
			return nil, nil, err
		}
		names[i] = derived[i].name
	}
	claim := &Claim{keeper: k, secrets: derived[0], fingerprint: derived[0].fingerprint(request)}
	claim.record = string(claimed) + claim.fingerprint + rand.Text()
	at, record, err := k.opts.Store.Claim(ctx, names, claim.record, k.opts.Lease)
	if err != nil {
		return nil, nil, err
	}
	if at < 0 {
		return claim, nil, nil
	}
	answer, err := k.repeat(ctx, derived[at], record, request)
	return nil, answer, err
}

// repeat answers a request whose key has a record.
func (k *Keeper) repeat(ctx context.Context, secrets secrets, record string, request []string) (*Answer, error) {
	if k.opts.Limiter != nil {
		decision, err := k.opts.Limiter.Take(ctx, []ratelimit.Charge{{Key: "repeat " + secrets.name, Budget: repeats}})
		switch {
		case err != nil:
			return nil, err
		case !decision.OK:
			return nil, &TooOftenError{RetryAfter: decision.RetryAfter}
		}
	}
	kind, fingerprint, rest, err := parse(record)
	switch {
	case err != nil:
		return nil, err
	case !equal(fingerprint, secrets.fingerprint(request)):
		k.opts.Logger.WarnContext(ctx, "an idempotency key came with another request")
		return nil, ErrOtherRequest
	case kind == claimed:
		return nil, ErrInProgress
	}
	k.opts.Logger.InfoContext(ctx, "the first answer is given again for an idempotency key")
	return secrets.open(fingerprint, rest)
}

// Claim is the right to be the one who runs a request. It has to be ended, with Finish or Release, of which only the first call counts. It is for one goroutine.
type Claim struct {
	keeper      *Keeper
	secrets     secrets
	fingerprint string
	record      string
	passing     atomic.Bool
	ended       bool
}

// Finish keeps the answer, unless it was said to be Passing. An answer that can't be kept is logged: the request has run, and must not fail for it.
func (c *Claim) Finish(ctx context.Context, answer Answer) {
	if c.passing.Load() {
		c.Release(ctx)
		return
	}
	c.end(ctx, func() error {
		sealed, err := c.secrets.seal(c.fingerprint, answer)
		if err != nil {
			return err
		}
		return c.keeper.opts.Store.Finish(ctx, c.secrets.name, c.record, string(answered)+c.fingerprint+sealed, keepFor)
	})
}

// Release lets the request run again. If that fails, which is logged, it can once the lease is over.
func (c *Claim) Release(ctx context.Context) {
	c.end(ctx, func() error { return c.keeper.opts.Store.Release(ctx, c.secrets.name, c.record) })
}

func (c *Claim) end(ctx context.Context, how func() error) {
	if c.ended {
		return
	}
	c.ended = true
	if err := how(); err != nil {
		c.keeper.opts.Logger.ErrorContext(ctx, "a claim on an idempotency key stays until its lease is over", slog.String("error", err.Error()))
	}
}

type claimKey struct{}

// Context returns a context for the request to run in, by which Passing knows its claim.
func (c *Claim) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, claimKey{}, c)
}

// Passing says that the request of ctx may be answered differently the next time, so that its answer is not kept. Without a claim it does nothing.
func Passing(ctx context.Context) {
	if claim, ok := ctx.Value(claimKey{}).(*Claim); ok {
		claim.passing.Store(true)
	}
}
