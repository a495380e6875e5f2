// Package httpserver runs an HTTP server until it is told to stop. Then it drains: it tells so, still serves until whoever balances load between
// replicas has seen it, and lets the requests under way finish.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options say what to serve and where.
type Options struct {
	Addr    string
	Handler http.Handler
	Logger  *slog.Logger
	// ShutdownDelay is how long requests are still taken after the end was asked for. It should be longer than a load balancer takes to see
	// that Readiness has changed. 0: they are not.
	ShutdownDelay time.Duration
	// ShutdownTimeout is how long requests under way may take to finish.
	ShutdownTimeout time.Duration
}

// Readiness answers whether a server that runs until ctx ends should be given requests: 200 if so, and 503 once ctx has ended.
func Readiness(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ctx.Err() != nil {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
}

// closing has answers end their connections once ctx has ended. Connections without a request are left alone, unlike by
// http.Server.SetKeepAlivesEnabled, as a proxy may be sending the next request right now.
func closing(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Run serves until ctx ends, and for ShutdownDelay more. It calls ready with the server's URL once it listens. It returns nil when every request
// under way at the end has been answered.
func Run(ctx context.Context, opts Options, ready func(url string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           closing(ctx, opts.Handler),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(opts.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready("http://" + listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	if opts.ShutdownDelay > 0 {
		opts.Logger.InfoContext(ctx, "draining", slog.Duration("for", opts.ShutdownDelay))
		select {
		case err := <-failed:
			return err
		case <-time.After(opts.ShutdownDelay):
		}
	}
	opts.Logger.InfoContext(ctx, "shutting down", slog.Duration("at_most", opts.ShutdownTimeout))
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), opts.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(bounded); err != nil {
		return errors.Join(fmt.Errorf("requests were still under way: %w", err), server.Close())
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
