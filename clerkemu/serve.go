package clerkemu

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
)

// maxBodyBytes bounds request bodies. Clerk's own bound is not published [I].
const maxBodyBytes = 256 << 10

// defaultAPIVersion is used for requests that name no API version [I]: with
// Clerk it depends on the instance.
const defaultAPIVersion = "2025-04-10"

// knownVersion tells whether Clerk has published this Backend API version.
func knownVersion(v string) bool {
	return slices.Contains([]string{"2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12"}, v)
}

// answer is a complete response, kept in memory so that a fault can withhold
// or cut it after the call has taken effect.
type answer struct {
	status      int
	contentType string // empty: application/json
	clientToken string // not empty: sent as Authorization
	retryAfter  time.Duration
	body        []byte
}

// serve makes the handler of one operation: fault, authentication, rate
// limit, version, body, effect, record, answer - in this order.
func (s *Server) serve(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		traceID := newTraceID()
		// Read at once: only then does net/http notice that a client leaves.
		body, bodyErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))

		fault := s.faults.take(op.id)
		if fault != nil && fault.wait(r.Context(), s.closing) != nil {
			fault = &Fault{Kind: FaultDrop}
		}
		var a answer
		if fault != nil && fault.preventsEffect() {
			a = fault.answer(traceID)
		} else {
			result, err := s.perform(op, r, body, bodyErr)
			a = s.render(result, err, traceID)
		}

		status := a.status
		if fault != nil && fault.withholdsAnswer() {
			status = 0
		}
		s.calls.add(Call{Operation: op.id, Method: r.Method, Path: r.URL.Path, Status: status})
		s.opts.Logger.DebugContext(r.Context(), "embedded Clerk call", "operation", op.id,
			"status", status, "duration", time.Since(began), "clerk_trace_id", traceID)
		s.deliver(w, a, traceID, fault)
	}
}

// perform checks a request and carries it out.
func (s *Server) perform(op operation, r *http.Request, body []byte, bodyErr error) (any, error) {
	admit := s.admitBackend
	if op.frontend {
		admit = s.admitFrontend
	}
	checked, err := admit(op, r, body, bodyErr)
	if err != nil {
		return nil, err
	}
	return op.run(s, checked)
}

// admitBackend checks what all operations of the Backend API have in common.
func (s *Server) admitBackend(op operation, r *http.Request, body []byte, bodyErr error) (*request, error) {
	if err := s.authenticate(r); err != nil {
		return nil, err
	}
	if !op.noLimit {
		if err := s.limiter.check(s.clock.Now()); err != nil {
			return nil, err
		}
	}
	version, err := apiVersion(r)
	if err != nil {
		return nil, err
	}
	params, err := parseParams(r.Header.Get("Content-Type"), body, bodyErr)
	if err != nil {
		return nil, err
	}
	return &request{
		ctx:     r.Context(),
		id:      chi.URLParam(r, "id"),
		version: version,
		query:   r.URL.Query(),
		params:  params,
	}, nil
}

// authenticate wants the secret key as a bearer token.
func (s *Server) authenticate(r *http.Request) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return newError(http.StatusUnauthorized, "authorization_header_format_invalid", "Invalid Authorization header format",
			"Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'")
	}
	if !s.isSecretKey(token) {
		return newError(http.StatusUnauthorized, "clerk_key_invalid", "The provided Clerk Secret Key is invalid.",
			"The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.")
	}
	return nil
}

// isSecretKey compares with the secret key, in a time that depends on neither.
func (s *Server) isSecretKey(key string) bool {
	got, want := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(s.opts.SecretKey))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// apiVersion reads the version from the header or the query, of which at most
// one may be given.
func apiVersion(r *http.Request) (string, error) {
	header, query := r.Header.Get("Clerk-Api-Version"), r.URL.Query().Get(versionParam)
	if header == "" && query == "" {
		return defaultAPIVersion, nil
	}
	if version := header + query; (header == "" || query == "") && knownVersion(version) {
		return version, nil
	}
	return "", newError(http.StatusBadRequest, "api_version_invalid", "Invalid API version",
		"The API version must be a published one, given in the header or in the query but not in both.")
}

// render turns what an operation returned into an answer.
func (s *Server) render(result any, err error, traceID string) answer {
	var known *apiError
	switch {
	case errors.As(err, &known):
		return errorAnswer(known, traceID)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errorAnswer(errInternal(), traceID) // the client is gone
	case err != nil:
		s.opts.Logger.Error("embedded Clerk failed", "error", err, "clerk_trace_id", traceID)
		return errorAnswer(errInternal(), traceID)
	}
	var clientToken string
	if forClient, ok := result.(clientAnswer); ok {
		result, clientToken = forClient.body, forClient.token
	}
	body, err := json.Marshal(result)
	if err != nil {
		s.opts.Logger.Error("embedded Clerk failed", "error", err, "clerk_trace_id", traceID)
		return errorAnswer(errInternal(), traceID)
	}
	return answer{status: http.StatusOK, clientToken: clientToken, body: body}
}

// errorEnvelope is the schema ClerkErrors.
type errorEnvelope struct {
	Errors  []errorItem    `json:"errors"`
	Meta    map[string]any `json:"meta"`
	TraceID string         `json:"clerk_trace_id"`
}

func errorAnswer(e *apiError, traceID string) answer {
	// Cannot fail: the envelope holds strings and numbers.
	body, _ := json.Marshal(errorEnvelope{Errors: e.items, Meta: map[string]any{}, TraceID: traceID})
	return answer{status: e.status, retryAfter: e.retryAfter, body: body}
}

// deliver sends the answer, or what the fault leaves of it.
func (s *Server) deliver(w http.ResponseWriter, a answer, traceID string, fault *Fault) {
	if fault != nil && fault.withholdsAnswer() {
		// The way of net/http to close a connection without an answer.
		panic(http.ErrAbortHandler)
	}
	if a.contentType == "" {
		// Exactly so, without a charset: Clerk's JavaScript SDK compares it
		// for equality.
		a.contentType = "application/json"
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Clerk-Trace-Id", traceID)
	// The clock of the instance, because clients measure its skew.
	h.Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.clientToken != "" {
		h.Set("Authorization", a.clientToken)
	}
	if a.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(wholeSeconds(a.retryAfter), 10))
	}
	w.WriteHeader(a.status)
	if fault != nil && fault.Kind == FaultTruncate {
		// net/http closes the connection, because less was written than was
		// announced.
		a.body = a.body[:len(a.body)/2]
	}
	_, _ = w.Write(a.body) // an error means that the client is gone
}
