package clerksvc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"clerkql/internal/secret"
)

// Viewer is who a session token speaks for.
type Viewer struct {
	UserID    string
	SessionID string
	// ExpiresAt is when the token stops being good.
	ExpiresAt time.Time
}

// Viewer verifies a session token on its own, without a call to Clerk once the instance's keys are known.
//
// Errors: ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) Viewer(ctx context.Context, client Client, token secret.String) (viewer *Viewer, err error) {
	ctx, audit := s.begin(ctx, "viewer", client)
	defer audit.end(ctx, &err)

	if viewer, err = s.viewer(ctx, token); err != nil {
		return nil, s.limiter.stranger(ctx, client, err)
	}
	audit.about(viewer.UserID)
	return viewer, nil
}

func (s *Service) viewer(ctx context.Context, token secret.String) (*Viewer, error) {
	viewer, err := s.tokens.verify(ctx, token)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	return viewer, nil
}

// MaxClockSkew is how far our clock and Clerk's may be apart before good session tokens are refused.
const MaxClockSkew = 5 * time.Second

// parseToken reads a session token without checking its signature, which Clerk makes with RS256 and nothing else.
func parseToken(token secret.String) (*jwt.JSONWebToken, error) {
	return jwt.ParseSigned(token.Reveal(), []jose.SignatureAlgorithm{jose.RS256})
}

const (
	maxTokenBytes = 8 << 10
	// maxSignedTokens is how many tokens are remembered whose signature is right. They take about 500 bytes each.
	maxSignedTokens = 10_000
	// keysLife is how long the instance's keys are used before they are fetched again, while they serve on.
	keysLife = time.Hour
	// keysPause is the least time between two fetches, so that tokens with made-up key ids can't make us call Clerk.
	keysPause = time.Minute
	// failurePause is the least time between two fetches while there is nothing to verify a token with.
	failurePause = time.Second
)

// tokenVerifier checks session tokens more strictly than the SDK's jwt.Verify, which accepts tokens without exp, sub or
// sid, with "sts": "pending", and from almost any issuer.
type tokenVerifier struct {
	api     *API
	now     func() time.Time
	parties []string

	// signed has the claims of tokens whose signature was found right a moment ago, by the SHA-256 of the token. All else is checked each time.
	signed *lru.Cache[[sha256.Size]byte, signedClaims]

	ctx     context.Context //nolint:containedctx // of what asks Clerk, which is nobody's mutation
	cancel  context.CancelFunc
	running sync.WaitGroup // what asks Clerk
	mu      sync.Mutex
	state   instanceState
	asking  chan struct{} // closed when Clerk has answered; nil: it is not being asked
}

// instanceState is what is known of the Clerk instance.
type instanceState struct {
	issuer    string // empty until it is known
	keys      *jose.JSONWebKeySet
	fetchedAt time.Time
	err       error // of the last fetch
}

// signedClaims are claims that a key of a set has signed. Another set, even if it has the same key, has not.
type signedClaims struct {
	claims sessionClaims
	keyID  string
	keys   *jose.JSONWebKeySet
}

func newTokenVerifier(cfg Config) *tokenVerifier {
	signed, err := lru.New[[sha256.Size]byte, signedClaims](maxSignedTokens)
	if err != nil { // only of a size that is none
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &tokenVerifier{
		ctx:     ctx,
		cancel:  cancel,
		api:     cfg.API,
		now:     cfg.Now,
		parties: cfg.AuthorizedParties,
		signed:  signed,
		state:   instanceState{issuer: cfg.Issuer},
	}
}

// sessionClaims are the claims of a session token (version 2): the standard ones, and Clerk's own.
type sessionClaims struct {
	jwt.Claims
	SessionID       string `json:"sid"`
	Status          string `json:"sts"`
	AuthorizedParty string `json:"azp"`
}

// verify returns who a token speaks for. The error is ErrSessionTokenInvalid, or a *ClerkError when the keys can't be had.
func (v *tokenVerifier) verify(ctx context.Context, token secret.String) (*Viewer, error) {
	if len(token.Reveal()) > maxTokenBytes {
		return nil, ErrSessionTokenInvalid
	}
	hash := sha256.Sum256([]byte(token.Reveal()))
	if known, ok := v.signed.Get(hash); ok {
		if state := v.current(); state.keys == known.keys && !v.due(state, known.keyID) {
			return v.viewer(known.claims, state.issuer)
		}
	}
	parsed, err := parseToken(token)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, ErrSessionTokenInvalid
	}
	instance, err := v.instance(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return nil, err
	}
	keys := instance.key(parsed.Headers[0].KeyID)
	switch {
	case len(keys) == 0 && instance.err != nil: // it may be a new key
		return nil, instance.err
	case len(keys) != 1:
		return nil, ErrSessionTokenInvalid
	}
	var claims sessionClaims
	if err := parsed.Claims(keys[0].Key, &claims); err != nil {
		return nil, ErrSessionTokenInvalid
	}
	v.signed.Add(hash, signedClaims{claims, parsed.Headers[0].KeyID, instance.keys})
	return v.viewer(claims, instance.issuer)
}

// viewer returns who a token speaks for whose signature is right, or ErrSessionTokenInvalid.
func (v *tokenVerifier) viewer(claims sessionClaims, issuer string) (*Viewer, error) {
	if err := v.check(claims, issuer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSessionTokenInvalid, err)
	}
	return &Viewer{UserID: claims.Subject, SessionID: claims.SessionID, ExpiresAt: claims.Expiry.Time().UTC()}, nil
}

// check holds the claims of a token whose signature is right against what a session token must say.
func (v *tokenVerifier) check(claims sessionClaims, issuer string) error {
	switch {
	case claims.Expiry == nil:
		return errors.New("no exp")
	case claims.Subject == "":
		return errors.New("no sub")
	case claims.SessionID == "":
		return errors.New("no sid")
	case claims.Issuer != issuer:
		return errors.New("other issuer")
	case claims.Status != "" && claims.Status != "active":
		return errors.New("session not active")
	case claims.AuthorizedParty != "" && len(v.parties) > 0 && !slices.Contains(v.parties, claims.AuthorizedParty):
		return errors.New("other authorized party")
	}
	return claims.ValidateWithLeeway(jwt.Expected{Time: v.now()}, MaxClockSkew)
}

// instance returns what is known of the instance. It asks Clerk when that is too little, and waits for the answer; when it is old, without
// waiting: it serves on meanwhile, and for as long as Clerk can't be asked.
func (v *tokenVerifier) instance(ctx context.Context, keyID string) (instanceState, error) {
	state, answered := v.ask(keyID)
	if answered == nil || len(state.key(keyID)) > 0 {
		return state.usable()
	}
	select {
	case <-answered:
		return v.current().usable()
	case <-ctx.Done():
		return instanceState{}, &ClerkError{Operation: "GetJWKS", cause: ctx.Err()}
	}
}

// ask has Clerk asked if there is a reason, unless it is being asked already, and returns what is known so far, and what is closed when there
// is an answer; nil if there is nothing to ask.
func (v *tokenVerifier) ask(keyID string) (instanceState, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.asking == nil && v.due(v.state, keyID) {
		answered := make(chan struct{})
		v.asking = answered
		v.running.Go(func() {
			defer close(answered)
			v.fetch(v.ctx)
		})
	}
	return v.state, v.asking
}

func (v *tokenVerifier) current() instanceState {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// due reports whether there is a reason, and leave, to ask Clerk again.
func (v *tokenVerifier) due(state instanceState, keyID string) bool {
	age := v.now().Sub(state.fetchedAt)
	switch {
	case state.keys == nil || state.issuer == "":
		return age >= failurePause
	case len(state.key(keyID)) == 0:
		return age >= keysPause
	default:
		return age >= keysLife || state.err != nil && age >= keysPause
	}
}

// key returns the keys with an id, of which there should be one, once it is known who issues tokens.
func (state instanceState) key(id string) []jose.JSONWebKey {
	if state.keys == nil || state.issuer == "" {
		return nil
	}
	return state.keys.Key(id)
}

// usable returns the state, or why there is none to verify a token with.
func (state instanceState) usable() (instanceState, error) {
	if state.keys == nil || state.issuer == "" {
		return instanceState{}, state.err
	}
	return state, nil
}

// fetch asks Clerk for the keys and, while it is not known, for the issuer. Each call is bounded in time by the API.
func (v *tokenVerifier) fetch(ctx context.Context) {
	state := v.current()
	state.fetchedAt = v.now()
	var both errgroup.Group
	both.Go(func() error {
		keys, err := v.api.JWKS(ctx)
		if err == nil {
			state.keys = keys
		}
		return err
	})
	if state.issuer == "" {
		both.Go(func() (err error) {
			state.issuer, err = v.api.FrontendAPIURL(ctx)
			return err
		})
	}
	state.err = both.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state, v.asking = state, nil
}
