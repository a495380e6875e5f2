package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Requests are what is sent, over and over: each worker begins at another one.
type Requests struct {
	Bytes [][]byte
	// Want is what the body of every answer must have in it.
	Want []byte
}

// Result is what a run came to.
type Result struct {
	Flows    int
	Took     time.Duration
	P50, P99 time.Duration
}

// PerSecond is how many flows there were in a second.
func (r Result) PerSecond() float64 { return float64(r.Flows) / r.Took.Seconds() }

// Client has connections to one server. Each is made when it is first used, as a server closes those that say nothing.
type Client struct {
	addr  string
	conns []*conn
	next  atomic.Int64
}

// New returns a client with so many connections.
func New(addr string, connections int) *Client {
	return &Client{addr: addr, conns: make([]*conn, connections)}
}

// Close closes the connections.
func (c *Client) Close() {
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// do sends a request over one of the connections.
func (c *Client) do(connection int, request []byte) (answer []byte, err error) {
	if c.conns[connection] == nil {
		if c.conns[connection], err = dial(c.addr); err != nil {
			return nil, err
		}
	}
	return c.conns[connection].do(request)
}

// Do sends one request and returns the body of its answer.
func (c *Client) Do(request []byte) ([]byte, error) {
	body, err := c.do(0, request)
	return bytes.Clone(body), err
}

// Run sends requests from all connections for a while, each waiting for its answer before the next.
func (c *Client) Run(ctx context.Context, requests Requests, during time.Duration) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	return c.run(requests, func() bool { return ctx.Err() == nil })
}

// RunN sends n requests from all connections together.
func (c *Client) RunN(requests Requests, n int) (Result, error) {
	var begun atomic.Int64
	return c.run(requests, func() bool { return begun.Add(1) <= int64(n) })
}

func (c *Client) run(requests Requests, more func() bool) (Result, error) {
	return Loop(len(c.conns), more, func(worker int) error {
		request := requests.Bytes[int(c.next.Add(1))%len(requests.Bytes)]
		body, err := c.do(worker, request)
		if err != nil {
			return err
		}
		if !bytes.Contains(body, requests.Want) {
			return fmt.Errorf("no %s in the answer %s", requests.Want, body)
		}
		return nil
	})
}

// Loop has workers do something as long as there is more to do, and notes how long each time took. What fails ends the worker.
func Loop(workers int, more func() bool, do func(worker int) error) (Result, error) {
	var (
		all  sync.WaitGroup
		took = make([][]time.Duration, workers)
		errs = make([]error, workers)
	)
	began := time.Now()
	for worker := range workers {
		all.Go(func() {
			times := make([]time.Duration, 0, 1<<12)
			for more() {
				began := time.Now()
				if errs[worker] = do(worker); errs[worker] != nil {
					break
				}
				times = append(times, time.Since(began))
			}
			took[worker] = times
		})
	}
	all.Wait()
	times := slices.Concat(took...)
	result := Result{Flows: len(times), Took: time.Since(began)}
	if err := errors.Join(errs...); err != nil {
		return Result{}, err
	}
	if len(times) == 0 {
		return Result{}, errors.New("nothing was done in that time")
	}
	slices.Sort(times)
	result.P50, result.P99 = quantile(times, 0.5), quantile(times, 0.99)
	return result, nil
}

func quantile(sorted []time.Duration, share float64) time.Duration {
	return sorted[int(float64(len(sorted)-1)*share)]
}

// FirstAnswer sends a request as soon as somebody listens, and returns when the first byte of an answer is there, whatever it is.
func FirstAnswer(addr string, request []byte, within time.Duration) error {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		c, err := dial(addr)
		if err != nil {
			continue
		}
		defer c.Close()
		if _, err := c.Write(request); err != nil {
			return err
		}
		_, err = c.r.Peek(1)
		return err
	}
	return fmt.Errorf("nothing answers at %s", addr)
}
