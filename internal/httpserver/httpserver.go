// Package httpserver runs an HTTP server until it is told to stop, and then lets the requests under way finish.
package httpserver

import (
	"context"
	"errors"
	"fmt"
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
	// ShutdownTimeout is how long requests under way may take to finish.
	ShutdownTimeout time.Duration
}

// Run serves until ctx ends. It calls ready with the server's URL once it listens. It returns nil when every request
// under way at the end has been answered.
func Run(ctx context.Context, opts Options, ready func(url string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           opts.Handler,
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
