package clerksvc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"time"
)

const (
	// maxConnections bounds the idle connections that are kept, so that what a flood of calls has opened need not be opened again.
	maxConnections = int(defaultConcurrency)
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked whether it still lives, and pingTimeout how long it has to answer.
	pingAfter, pingTimeout = 15 * time.Second, 5 * time.Second
	// maxHeaderBytes and maxResponseBytes bound what is read of one answer from Clerk. A user object takes a few kilobytes.
	maxHeaderBytes   = 64 << 10
	maxResponseBytes = 4 << 20
	// maxRetryAfterSeconds bounds what is believed of a Retry-After.
	maxRetryAfterSeconds = 24 * 60 * 60
)

// exchanger sends requests to Clerk, by HTTP/2 where Clerk offers it, and reads the answers.
type exchanger struct {
	transport *http.Transport
	timeout   time.Duration
}

// newExchanger returns an exchanger whose exchanges take no longer than timeout, from connecting to the last byte of the answer.
func newExchanger(timeout time.Duration) *exchanger {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = maxConnections, maxConnections
	transport.MaxResponseHeaderBytes = maxHeaderBytes
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}
	return &exchanger{transport: transport, timeout: timeout}
}

// exchange sends a request and reads the answer, which is one of success. Otherwise the error is a *[ClerkError] that does not know its
// operation. It follows no redirect: Clerk has none here, and secrets would be sent after it.
func (e *exchanger) exchange(req *http.Request) (*answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), e.timeout)
	defer cancel()
	resp, err := e.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, &ClerkError{cause: err}
	}
	defer func() { _ = resp.Body.Close() }() // it has been read, or is of no use
	a := &answer{status: resp.StatusCode, header: resp.Header}
	called(ctx, a.traceID())
	if a.body, err = readBody(resp); err != nil {
		return nil, &ClerkError{Status: a.status, TraceID: a.traceID(), cause: transportCause(err)}
	}
	if a.status >= http.StatusMultipleChoices {
		return nil, a.failure()
	}
	return a, nil
}

// readBody reads the body of an answer. One that is too long is cut off, so that it can't be read as JSON.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.ContentLength >= 0 && resp.ContentLength <= maxResponseBytes {
		body := make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes))
}

// answer is an answer of one of Clerk's APIs.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) traceID() string { return bounded(a.header.Get("Clerk-Trace-Id")) }

// decode reads the body into what out points to, all of it or nothing: what is half read must not be mixed with what a repeated call is answered.
func (a *answer) decode(out any) error {
	if err := json.Unmarshal(a.body, out); err != nil {
		reflect.ValueOf(out).Elem().SetZero()
		return &ClerkError{Status: a.status, TraceID: a.traceID(), cause: errUnreadable}
	}
	return nil
}

// failure reads an answer that is none of success. Of what Clerk wrote in prose, nothing is kept.
func (a *answer) failure() *ClerkError {
	failed := &ClerkError{Status: a.status, TraceID: a.traceID(), RetryAfter: retryAfter(a.header)}
	var envelope struct {
		Errors []struct {
			Code string          `json:"code"`
			Meta json.RawMessage `json:"meta"`
		} `json:"errors"`
		TraceID string `json:"clerk_trace_id"`
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status < http.StatusBadRequest || media != "application/json" {
		failed.cause = fmt.Errorf("status %d from something that is not Clerk's API", a.status) // such as a gateway
		return failed
	}
	if err := json.Unmarshal(a.body, &envelope); err != nil || len(envelope.Errors) == 0 {
		failed.cause = errUnreadable
		return failed
	}
	if failed.TraceID == "" {
		failed.TraceID = bounded(envelope.TraceID)
	}
	for _, item := range envelope.Errors[:min(len(envelope.Errors), maxErrorItems)] {
		for _, param := range paramsOf(item.Meta) {
			failed.Items = append(failed.Items, ClerkErrorItem{Code: bounded(item.Code), Param: param})
		}
	}
	return failed
}

// retryAfter reads a Retry-After in seconds; 0 without one.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, maxRetryAfterSeconds)) * time.Second
}
