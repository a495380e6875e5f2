package clerksvc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"

	"clerkql/internal/secret"
)

const (
	// maxResponseBytes bounds what is read of one answer from Clerk. A user object takes a few kilobytes.
	maxResponseBytes = 4 << 20
	// maxRetryAfterSeconds bounds what is believed of a Retry-After.
	maxRetryAfterSeconds = 24 * 60 * 60
)

// APIVersion is the version of Clerk's APIs that is spoken: by the SDK at the Backend API, and at the Frontend API.
const APIVersion = "2025-04-10"

// API is Clerk's Backend API, one thin method per endpoint in the vocabulary of Clerk's specification, on
// top of clerk-sdk-go. Its methods return a *[ClerkError] when a call fails, decide nothing, and are safe
// for concurrent use.
type API struct {
	backend clerk.Backend
}

// APIConfig says which Clerk instance to call and how.
type APIConfig struct {
	// URL of the Backend API, with its version: https://api.clerk.com/v1.
	URL string
	// SecretKey is the instance's sk_test_ or sk_live_ key.
	SecretKey secret.String
	// Timeout bounds one call, from connecting to the last byte of the answer.
	Timeout time.Duration
}

// NewAPI returns an API for one Clerk instance. It makes no call.
func NewAPI(cfg APIConfig) *API {
	return &API{backend: clerk.NewBackend(&clerk.BackendConfig{
		HTTPClient: newHTTPClient(cfg.Timeout),
		URL:        clerk.String(cfg.URL),
		Key:        clerk.String(cfg.SecretKey.Reveal()),
	})}
}

// newHTTPClient returns what Clerk is called with.
func newHTTPClient(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	return &http.Client{
		Timeout:   timeout,
		Transport: boundedTransport{transport},
		// Clerk does not redirect these calls. Following one would send secrets after it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// boundedTransport keeps from the SDK what it does not expect: a body without end, which it would read whole; a
// redirect, which it would take for success; and a failure that is not Clerk's, such as a gateway's page, which
// it would make the text of an error.
type boundedTransport struct{ http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	sized, err := withLength(req)
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTripper.RoundTrip(sized)
	if err != nil {
		return nil, err
	}
	called(req.Context(), resp.Header.Get("Clerk-Trace-Id"))
	redirect := resp.StatusCode >= 300 && resp.StatusCode < 400
	failure := resp.StatusCode >= 400
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if redirect || failure && media != "application/json" {
		foreign := foreignAnswer{resp.StatusCode, retryAfter(resp.Header)}
		return nil, errors.Join(foreign, resp.Body.Close())
	}
	resp.Body = boundedBody{io.LimitReader(resp.Body, maxResponseBytes), resp.Body}
	return resp, nil
}

// withLength returns the request with a body whose length is known, which the SDK does not tell, so that it would be sent in chunks. It can be
// sent again, too: net/http does so where nothing of a request was written to a connection that had died.
func withLength(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.ContentLength > 0 {
		return req, nil
	}
	body, err := io.ReadAll(req.Body) // as long as what we made of bounded input
	if err != nil {
		return nil, errors.Join(err, req.Body.Close())
	}
	sized := req.Clone(req.Context())
	sized.ContentLength = int64(len(body))
	sized.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	sized.Body, _ = sized.GetBody()
	return sized, req.Body.Close()
}

// foreignAnswer is an answer that did not come from Clerk's API.
type foreignAnswer struct {
	status     int
	retryAfter time.Duration
}

func (a foreignAnswer) Error() string {
	return fmt.Sprintf("status %d from something that is not Clerk's API", a.status)
}

// retryAfter reads a Retry-After in seconds; 0 without one.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > maxRetryAfterSeconds {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

type boundedBody struct {
	io.Reader
	io.Closer
}

// call makes one call that the SDK has no method for.
func (a *API) call(ctx context.Context, operation, method, path string, params clerk.Params, out clerk.ResponseReader) error {
	req := clerk.NewAPIRequest(method, path)
	if params != nil {
		req.SetParams(params)
	}
	return callError(operation, a.backend.Call(ctx, req, out))
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
