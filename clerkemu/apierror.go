package clerkemu

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
)

// apiError is an error answer: a status and one or more entries of Clerk's
// envelope (schema ClerkErrors).
type apiError struct {
	status     int
	items      []errorItem
	retryAfter time.Duration // positive: sent as Retry-After, in whole seconds
}

// errorItem is the schema ClerkError.
type errorItem struct {
	Message     string         `json:"message"`
	LongMessage string         `json:"long_message"`
	Code        string         `json:"code"`
	Meta        map[string]any `json:"meta,omitempty"`
}

func (e *apiError) Error() string {
	codes := make([]string, len(e.items))
	for i, item := range e.items {
		codes[i] = item.Code
	}
	return fmt.Sprintf("%d %s", e.status, strings.Join(codes, ","))
}

func newError(status int, code, message, long string) *apiError {
	return &apiError{status: status, items: []errorItem{{Message: message, LongMessage: long, Code: code}}}
}

// paramProblem is an entry about one parameter.
func paramProblem(param, code, message, long string) errorItem {
	return errorItem{Message: message, LongMessage: long, Code: code, Meta: map[string]any{"param_name": param}}
}

func paramError(param, code, message, long string) *apiError {
	return &apiError{
		status: http.StatusUnprocessableEntity,
		items:  []errorItem{paramProblem(param, code, message, long)},
	}
}

func problemMissing(param string) errorItem {
	return paramProblem(param, "form_param_missing", "is missing", param+" must be included.")
}

// problemMissingFor is about a parameter that another one asks for.
func problemMissingFor(param, other string) errorItem {
	return paramProblem(param, "form_conditional_param_missing", "is missing", param+" must be included with "+other+".")
}

func problemNil(param string) errorItem {
	return paramProblem(param, "form_param_nil", "is empty", param+" must not be null or blank.")
}

func problemUnknown(param string) errorItem {
	return paramProblem(param, "form_param_unknown", "is unknown", clip(param)+" is not a valid parameter for this request.")
}

func problemType(param, want string) errorItem {
	return paramProblem(param, "form_param_type_invalid", "is invalid", param+" must be "+want+".")
}

func problemValue(param, long string) errorItem {
	return paramProblem(param, "form_param_value_invalid", "is invalid", long)
}

func problemTooLong(param string, longest int) errorItem {
	return paramProblem(param, "form_param_max_length_exceeded", "is too long",
		fmt.Sprintf("%s must not exceed %d characters.", param, longest))
}

func problemTooLarge(param string) errorItem {
	return paramProblem(param, "form_param_exceeds_allowed_size", "is too large",
		fmt.Sprintf("%s must not exceed %d bytes.", param, maxMetadataBytes))
}

func problemEmailFormat(param string) errorItem {
	return paramProblem(param, "form_param_format_invalid", "is invalid", param+" must be a valid email address.")
}

func errIdentifierExists(param string) *apiError {
	what := strings.ReplaceAll(param, "_", " ")
	return paramError(param, "form_identifier_exists",
		"That "+what+" is taken. Please try another.", "That "+what+" is taken. Please try another.")
}

func errVerificationNeeded(param string) *apiError {
	return paramError(param, "form_verification_needed", "is not verified", param+" must be verified first.")
}

func errNotFound(long string) *apiError {
	return newError(http.StatusNotFound, "resource_not_found", "not found", long)
}

func errSessionNotFound() *apiError { return errNotFound("Session not found") }

func errUserQuota(limit int) *apiError {
	return newError(http.StatusForbidden, "user_quota_exceeded", "User quota exceeded",
		fmt.Sprintf("This instance holds its limit of %d users.", limit))
}

func errFeatureOff(param string) *apiError {
	e := newError(http.StatusForbidden, "feature_not_enabled", "not enabled", "This feature is not enabled on this instance.")
	if param != "" {
		e.items[0].Meta = map[string]any{"param_name": param}
	}
	return e
}

func errBodyInvalid() *apiError {
	return newError(http.StatusBadRequest, "request_body_invalid", "Request body invalid",
		"The request body could not be parsed.")
}

func errInternal() *apiError {
	return newError(http.StatusInternalServerError, "internal_clerk_error", "Internal error",
		"The request could not be completed.")
}

// errTooMany is the rate limit of the instance. The spelling of its meta is
// inferred [I].
func errTooMany(wait time.Duration) *apiError {
	e := newError(http.StatusTooManyRequests, "too_many_requests", "Too many requests", "Too many requests, retry later")
	e.items[0].Meta = map[string]any{"resets_in": wholeSeconds(wait)}
	e.retryAfter = wait
	return e
}

// wholeSeconds rounds a wait up, so that whoever waits has waited enough.
func wholeSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }
