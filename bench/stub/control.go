package stub

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Counts is what the stub has seen.
type Counts struct {
	Connections int `json:"connections"` // that were made to it
	Calls       int `json:"calls"`
	Held        int `json:"held"` // answers that are held back at present
}

// control is what the measuring program sets the stub with, on a listener of its own, so that it is not counted.
func (c *Clerk) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(Counts{int(c.connections.Load()), int(c.calls.Load()), int(c.held.Load())})
	})
	mux.HandleFunc("POST /latency/{latency}", func(w http.ResponseWriter, r *http.Request) {
		latency, err := time.ParseDuration(r.PathValue("latency"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.latency.Store(int64(latency))
	})
	mux.HandleFunc("POST /hold", func(http.ResponseWriter, *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.release == nil {
			c.release = make(chan struct{})
		}
	})
	mux.HandleFunc("POST /release", func(http.ResponseWriter, *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.release != nil {
			close(c.release)
			c.release = nil
		}
	})
	return mux
}

// URLs are where a stub that runs in another process can be found.
type URLs struct{ Clerk, ControlledAt string }

// ListenAndServe serves on free ports of the loopback interface, and says which, until ctx ends.
func (c *Clerk) ListenAndServe(ctx context.Context, out io.Writer) error {
	clerk, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, clerk.Close())
	}
	urls := URLs{"http://" + clerk.Addr().String(), "http://" + control.Addr().String()}
	if err := json.NewEncoder(out).Encode(urls); err != nil {
		return errors.Join(err, clerk.Close(), control.Close())
	}
	return c.Serve(ctx, clerk, control)
}

// ReadURLs reads what ListenAndServe says.
func ReadURLs(from *bufio.Reader) (urls URLs, err error) {
	line, err := from.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &urls)
	}
	return urls, err
}

// Control returns what sets the stub.
func (u URLs) Control() Control {
	return Control{u.ControlledAt, &http.Client{Timeout: controlTimeout}}
}

const controlTimeout = 10 * time.Second

// Control sets a stub that runs in another process.
type Control struct {
	URL    string
	Client *http.Client
}

// Counts returns what the stub has seen so far.
func (c Control) Counts() (Counts, error) {
	resp, err := c.Client.Get(c.URL + "/counts")
	if err != nil {
		return Counts{}, err
	}
	defer resp.Body.Close()
	var counts Counts
	return counts, json.NewDecoder(resp.Body).Decode(&counts)
}

// SetLatency has answers take so long from now on.
func (c Control) SetLatency(latency time.Duration) error {
	return c.post("/latency/" + latency.String())
}

// Hold has answers wait for Release.
func (c Control) Hold() error { return c.post("/hold") }

// Release lets held answers go.
func (c Control) Release() error { return c.post("/release") }

func (c Control) post(path string) error {
	resp, err := c.Client.Post(c.URL+path, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the stub answers %s to %s", resp.Status, path)
	}
	return nil
}
