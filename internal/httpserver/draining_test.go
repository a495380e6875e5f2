package httpserver_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"clerkql/internal/httpserver"
)

// lines is a log whose lines can be awaited.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// answer is what a client sees of an answer, and of the connection that it came by.
type answer struct {
	status        int
	kept, closing bool // the connection is one from before; it ends with this answer
}

func get(t *testing.T, client *http.Client, url string) answer {
	t.Helper()
	var got answer
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { got.kept = info.Reused }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	got.status, got.closing = resp.StatusCode, resp.Close
	return got
}

// TestDraining has a server that is told to stop say so, and still take what comes, by connections from before as by new ones, each of which
// ends with its answer.
func TestDraining(t *testing.T) {
	const delay = time.Second
	ctx, stop := context.WithCancel(t.Context())
	log := make(lines, 10)
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- httpserver.Run(ctx, httpserver.Options{
			Addr: "127.0.0.1:0", Handler: httpserver.Readiness(ctx), Logger: slog.New(slog.NewTextHandler(log, nil)),
			ShutdownDelay: delay, ShutdownTimeout: time.Minute,
		}, func(url string) { ready <- url })
	}()
	url := <-ready
	proxy := &http.Client{Transport: &http.Transport{}}
	get(t, proxy, url)
	if got := get(t, proxy, url); got != (answer{status: http.StatusOK, kept: true}) {
		t.Errorf("while it serves: %+v", got)
	}

	told := time.Now()
	stop()
	if line := <-log; !strings.Contains(line, "draining") {
		t.Errorf("it logs %s", line)
	}
	if got := get(t, proxy, url); got != (answer{status: http.StatusServiceUnavailable, kept: true, closing: true}) {
		t.Errorf("by a connection from before: %+v", got)
	}
	if got := get(t, proxy, url); got != (answer{status: http.StatusServiceUnavailable, closing: true}) {
		t.Errorf("by a new connection: %+v", got)
	}
	if err := <-ended; err != nil || time.Since(told) < delay {
		t.Errorf("it ended after %v with %v", time.Since(told), err)
	}
	if _, err := proxy.Get(url); err == nil {
		t.Error("it still takes requests")
	}
}
