package clerksvc

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"

	"clerkql/internal/secret"
)

// APIVersion is the version of Clerk's APIs that is spoken: by the SDK at the Backend API, and at the Frontend API.
const APIVersion = "2025-04-10"

// API is Clerk's Backend API, one thin method per endpoint in the vocabulary of Clerk's specification, on
// top of clerk-sdk-go's types. Its methods return a *[ClerkError] when a call fails, decide nothing, and are safe
// for concurrent use.
type API struct {
	backend *backend
	*resilience
}

// APIConfig says which Clerk instance to call and how.
type APIConfig struct {
	// URL of the Backend API, with its version: https://api.clerk.com/v1.
	URL string
	// SecretKey is the instance's sk_test_ or sk_live_ key.
	SecretKey secret.String
	// Timeout bounds one call, from connecting to the last byte of the answer.
	Timeout time.Duration
	// Once has every call made once, whatever comes of it: for who wants to see what Clerk does.
	Once bool
	// Logger is told when calls are not made any more because too many fail, and when they are again. Nil: nobody is.
	Logger *slog.Logger
}

// NewAPI returns an API for one Clerk instance. It makes no call.
func NewAPI(cfg APIConfig) *API {
	return &API{backend: newBackend(cfg), resilience: newResilience("backend", cfg.Once, cfg.Logger)}
}

// call makes a call, and repeats it where that is safe and of use. All calls to the Backend API pass here.
func (a *API) call(ctx context.Context, operation, method, path string, params clerk.Params, out clerk.ResponseReader) error {
	req := clerk.NewAPIRequest(method, path)
	if params != nil {
		req.SetParams(params)
	}
	return a.do(ctx, operation, method, func() error {
		spend(ctx)
		err := a.backend.Call(ctx, req, out)
		if err == nil {
			return nil
		}
		failed := asClerkError(err)
		failed.Operation = operation
		if limitedByClerk(failed) {
			limited(ctx, failed.RetryAfter)
		}
		return failed
	})
}

// idPattern is what the ids of Clerk's resources look like. The SDK puts ids into paths as they are, so
// that "user_1/../../sessions/sess_1" or "user_1?a=b" would address something else.
var idPattern = regexp.MustCompile(`^(user|idn|sess|sit)_[A-Za-z0-9]{1,64}$`)

// checkID returns an error unless id can go into a path.
func checkID(operation, id string) error {
	if !idPattern.MatchString(id) {
		return &ClerkError{Operation: operation, cause: errors.New("not the id of a Clerk resource")}
	}
	return nil
}
