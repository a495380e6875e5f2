package clerkemu

import (
	"strings"
	"sync"
)

// Bounds of the log of calls: beyond maxCalls the oldest is forgotten, and a
// path is cut. No path that the instance serves comes near to that.
const (
	maxCalls    = 100_000
	maxCallPath = 200 // bytes
)

// Call is one Backend or Frontend API request that the instance was sent.
type Call struct {
	// Operation is the operationId of Clerk's OpenAPI document, such as
	// "CreateUser"; one of the Frontend API follows "fapi.", as in
	// "fapi.createSignIn". Empty for a path that the instance does not serve.
	Operation string `json:"operation"`
	Method    string `json:"method"`
	// Path is the path of the URL, of which at most 200 bytes are kept.
	Path string `json:"path"`
	// Status is the status of the answer, 0 when a fault kept the client
	// from getting any.
	Status int `json:"status"`
}

// callLog is a ring of the latest calls.
type callLog struct {
	mu    sync.Mutex
	calls []Call
	next  int // where the next call goes once the ring is full
}

func (l *callLog) add(c Call) {
	// A copy: the path shares its memory with the whole request line.
	c.Path = strings.Clone(c.Path[:min(len(c.Path), maxCallPath)])
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.calls) < maxCalls {
		l.calls = append(l.calls, c)
		return
	}
	l.calls[l.next] = c
	l.next = (l.next + 1) % maxCalls
}

// Calls returns the API calls since the start or the last ResetCalls,
// oldest first, at most the latest 100,000. A call is listed before its
// answer reaches the client.
func (s *Server) Calls() []Call {
	l := s.calls
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make([]Call, 0, len(l.calls))
	calls = append(calls, l.calls[l.next:]...)
	return append(calls, l.calls[:l.next]...)
}

// ResetCalls forgets all calls.
func (s *Server) ResetCalls() {
	l := s.calls
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.next = nil, 0
}
