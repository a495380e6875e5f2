package clerksvc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// ClerkError is a call to Clerk that failed. Its text names the operation, the status and Clerk's codes, and
// never what Clerk wrote in prose, which can repeat an address or a whole page of HTML.
type ClerkError struct {
	// Operation is the operationId in Clerk's specification, such as "CreateUser".
	Operation string
	// Status of the answer; 0 when there was none, or none that could be read.
	Status int
	// Items are the errors that Clerk listed; none when the answer was not Clerk's error envelope.
	Items []ClerkErrorItem
	// TraceID is what Clerk's support asks for (clerk_trace_id). Empty when there was no answer.
	TraceID string
	// RetryAfter is the answer's Retry-After; 0 without one.
	RetryAfter time.Duration

	cause error
}

// ClerkErrorItem is one error in Clerk's envelope (schema ClerkError).
type ClerkErrorItem struct {
	// Code is from Clerk's catalogue of error codes.
	Code string
	// Param is the request parameter that is at fault (meta.param_name), if one is.
	Param string
}

// Error implements error.
func (e *ClerkError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "clerk: %s", e.Operation)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	for _, item := range e.Items {
		fmt.Fprintf(&b, " %s", item.Code)
	}
	if e.cause != nil {
		fmt.Fprintf(&b, ": %v", e.cause)
	}
	return b.String()
}

// Unwrap returns what went wrong below HTTP, if that is what failed.
func (e *ClerkError) Unwrap() error { return e.cause }

// Has reports whether Clerk listed an error with this code.
func (e *ClerkError) Has(code string) bool {
	for _, item := range e.Items {
		if item.Code == code {
			return true
		}
	}
	return false
}

// Uncertain reports whether the call may have taken effect all the same: there was no answer that could be
// read, or one that says that something broke half-way.
func (e *ClerkError) Uncertain() bool {
	return len(e.Items) == 0 || e.Status >= http.StatusInternalServerError
}

// hasCode reports whether err is a ClerkError with this code.
func hasCode(err error, code string) bool {
	var clerkErr *ClerkError
	return errors.As(err, &clerkErr) && clerkErr.Has(code)
}

// Bounds on what is kept of an error envelope.
const (
	maxErrorItems = 16
	maxCodeBytes  = 80
)

// paramsOf returns the parameters that an error is about: param_name, or all of param_names as form_data_missing has them.
// meta is free-form; without either, the error is about no parameter in particular, which is "".
func paramsOf(meta json.RawMessage) []string {
	var names struct {
		One  string   `json:"param_name"`
		Many []string `json:"param_names"`
	}
	if err := json.Unmarshal(meta, &names); err != nil || len(names.Many) == 0 {
		return []string{names.One}
	}
	return names.Many[:min(len(names.Many), maxErrorItems)]
}

func bounded(s string) string { return s[:min(len(s), maxCodeBytes)] }

// errUnreadable stands for an answer that broke off or was not what the specification says.
var errUnreadable = errors.New("the answer could not be read")

// errUnsendable stands for a call that could not be put into a request.
var errUnsendable = errors.New("the call could not be made")

// transportCause keeps of what failed while an answer was read that it was the network. The rest can repeat the answer.
func transportCause(err error) error {
	var netErr net.Error
	if errors.As(err, &netErr) {
		return netErr
	}
	return errUnreadable
}
