// Package middleware has the HTTP middlewares that chi does not, and the order in which all of them run.
package middleware

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Options are the settings of Stack.
type Options struct {
	Logger *slog.Logger
	// TrustedProxies are the networks that X-Forwarded-For and X-Forwarded-Proto are believed from. None: the client is who connects.
	TrustedProxies []netip.Prefix
	// MaxBodyBytes bounds request bodies.
	MaxBodyBytes int64
}

// Stack returns the middlewares that every request passes, outermost first.
func Stack(opts Options) chi.Middlewares {
	return chi.Middlewares{
		requestID,
		clientIP(opts.TrustedProxies),
		accessLog(opts.Logger),
		securityHeaders(opts.TrustedProxies),
		recoverer(opts.Logger),
		middleware.GetHead,
		middleware.RequestSize(opts.MaxBodyBytes),
	}
}

// requestIDPattern is what a request id that comes from outside may look like. It ends up in logs and answers.
var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,64}$`)

// requestID gives every request an id, the one that a proxy gave it if that looks like one and a random one if not, and tells
// it in the answer. (chi's own ids would tell the host's name and how many requests came before.)
func requestID(next http.Handler) http.Handler {
	announce := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(middleware.RequestIDHeader, middleware.GetReqID(r.Context()))
		next.ServeHTTP(w, r)
	})
	assign := middleware.RequestID(announce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !requestIDPattern.MatchString(r.Header.Get(middleware.RequestIDHeader)) {
			r.Header.Set(middleware.RequestIDHeader, rand.Text())
		}
		assign.ServeHTTP(w, r)
	})
}

func clientIP(trusted []netip.Prefix) func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	prefixes := make([]string, len(trusted))
	for i, prefix := range trusted {
		prefixes[i] = prefix.String()
	}
	return middleware.ClientIPFromXFF(prefixes...)
}

// accessLog logs one line per request. It logs the path without the query, which holds GraphQL variables on GET.
func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			recorder := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() {
				log.InfoContext(r.Context(), "request",
					slog.String("method", r.Method),
					slog.String("path", r.URL.Path),
					slog.Int("status", recorder.Status()),
					slog.Int("bytes", recorder.BytesWritten()),
					slog.Duration("took", time.Since(began)),
					slog.String("client_ip", middleware.GetClientIP(r.Context())))
			}()
			next.ServeHTTP(recorder, r)
		})
	}
}

// recoverer answers a panic with status 500, and logs where it happened. The value of the panic is not logged: it may hold
// anything.
func recoverer(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				value := recover()
				if value == nil {
					return
				}
				if err, ok := value.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(value)
				}
				log.ErrorContext(r.Context(), "panic in a handler", slog.String("stack", string(debug.Stack())))
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			}()
			next.ServeHTTP(w, r)
		})
	}
}
