package httpserver_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"clerkql/internal/httpserver"
)

// run starts a server whose requests take as long as they are told, and returns its URL and how it ended.
func run(ctx context.Context, t *testing.T, timeout time.Duration, began chan<- struct{}, end <-chan struct{}) (url string, ended <-chan error) {
	t.Helper()
	ready, result := make(chan string, 1), make(chan error, 1)
	go func() {
		result <- httpserver.Run(ctx, httpserver.Options{
			Addr: "127.0.0.1:0",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				began <- struct{}{}
				<-end
				_, _ = io.WriteString(w, "done")
			}),
			Logger:          slog.New(slog.DiscardHandler),
			ShutdownTimeout: timeout,
		}, func(url string) { ready <- url })
	}()
	return <-ready, result
}

func TestRequestsUnderWayFinish(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	began, end := make(chan struct{}), make(chan struct{})
	url, ended := run(ctx, t, time.Minute, began, end)
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-began
	stop()
	select {
	case err := <-ended:
		t.Fatalf("it ended with a request under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(end)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still takes requests")
	}
}

func TestAShutdownIsBounded(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	began, end := make(chan struct{}), make(chan struct{})
	url, ended := run(ctx, t, 50*time.Millisecond, began, end)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
		}
	}()
	<-began
	stop()
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	close(end)
	<-gone
}

func TestAnAddressInUse(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	url, ended := run(ctx, t, time.Second, nil, nil)
	err := httpserver.Run(ctx, httpserver.Options{Addr: url[len("http://"):], Logger: slog.New(slog.DiscardHandler)}, func(string) {
		t.Error("it says that it is ready")
	})
	if err == nil {
		t.Error("it listens where another does")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
