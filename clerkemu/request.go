package clerkemu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// versionParam is the query parameter that every operation accepts.
const versionParam = "__clerk_api_version"

// request is a checked call of one operation.
type request struct {
	ctx     context.Context //nolint:containedctx // as in http.Request: it lives as long as the call
	id      string          // the {id} of the path
	version string
	query   url.Values
	params  *params
	caller  caller // of the Frontend API only
}

// params are the members of a JSON body. Each reader notes what is wrong with
// its member; err reports all of it together.
type params struct {
	values   map[string]json.RawMessage
	problems []errorItem
}

// parseParams reads a JSON object. An empty body and null are no parameters:
// the SDK sends null with every POST that has none.
func parseParams(contentType string, body []byte, readErr error) (*params, error) {
	p := &params{}
	if empty, err := checkBody(contentType, "application/json", body, readErr); empty || err != nil {
		return p, err
	}
	if !utf8.Valid(body) || json.Unmarshal(body, &p.values) != nil {
		return nil, errBodyInvalid()
	}
	return p, nil
}

// parseForm reads the form of a Frontend API request: of each name, the first
// value [I].
func parseForm(contentType string, body []byte, readErr error) (*params, error) {
	p := &params{values: map[string]json.RawMessage{}}
	if empty, err := checkBody(contentType, "application/x-www-form-urlencoded", body, readErr); empty || err != nil {
		return p, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errBodyInvalid()
	}
	for name := range form {
		value, err := json.Marshal(form.Get(name))
		if err != nil {
			return nil, errBodyInvalid()
		}
		p.values[name] = value
	}
	return p, nil
}

// checkBody tells whether a body is empty. One that is not must have been read
// and be of the wanted type.
func checkBody(contentType, want string, body []byte, readErr error) (empty bool, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(readErr, &tooLarge):
		return false, newError(http.StatusRequestEntityTooLarge, "request_body_too_large", "Request body too large",
			fmt.Sprintf("The request body must not exceed %d bytes.", maxBodyBytes))
	case readErr != nil:
		return false, errBodyInvalid()
	case len(bytes.TrimSpace(body)) == 0:
		return true, nil
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != want {
		return false, newError(http.StatusUnsupportedMediaType, "unsupported_content_type", "Unsupported content type",
			"The Content-Type must be "+want+".")
	}
	return false, nil
}

// only notes every member that is not among the names, for operations whose
// body has additionalProperties: false.
func (p *params) only(names ...string) {
	var unknown []string
	for name := range p.values {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		p.note(problemUnknown(name))
	}
}

func (p *params) note(problem errorItem) { p.problems = append(p.problems, problem) }

// err is what was noted, as one answer.
func (p *params) err() error {
	if len(p.problems) == 0 {
		return nil
	}
	return &apiError{status: http.StatusUnprocessableEntity, items: p.problems}
}

// has tells whether a member is there and not null.
func (p *params) has(name string) bool {
	raw, ok := p.values[name]
	return ok && string(raw) != "null"
}

// read decodes a member; false when it is absent, null or of another type.
func (p *params) read(name, want string, into any) bool {
	if !p.has(name) {
		return false
	}
	if json.Unmarshal(p.values[name], into) != nil {
		p.note(problemType(name, want))
		return false
	}
	return true
}

// str reads an optional string; nil when it is absent or null.
func (p *params) str(name string) *string {
	var s string
	if !p.read(name, "a string", &s) {
		return nil
	}
	return &s
}

// required reads a string that must be there and must not be blank.
func (p *params) required(name string) string {
	raw, present := p.values[name]
	if !present {
		p.note(problemMissing(name))
		return ""
	}
	if string(raw) == "null" {
		p.note(problemNil(name))
		return ""
	}
	s := p.str(name)
	if s == nil {
		return ""
	}
	if strings.TrimSpace(*s) == "" {
		p.note(problemNil(name))
	}
	return *s
}

// name reads a person's name, an optional string of bounded length.
func (p *params) name(name string) *string {
	const longest = 256 // [I]
	s := p.str(name)
	if s != nil && utf8.RuneCountInString(*s) > longest {
		p.note(problemTooLong(name, longest))
	}
	return s
}

// flag reads an optional boolean; absent and null are false.
func (p *params) flag(name string) bool {
	var b bool
	return p.read(name, "a boolean", &b) && b
}

// integer reads an optional integer between two bounds.
func (p *params) integer(name string, least, most int64) (int64, bool) {
	var n int64
	if !p.read(name, "an integer", &n) {
		return 0, false
	}
	if n < least || n > most {
		p.note(problemValue(name, fmt.Sprintf("%s must be between %d and %d.", name, least, most)))
		return 0, false
	}
	return n, true
}

// strings reads an optional array of strings of bounded length.
func (p *params) strings(name string, most int) []string {
	var list []*string
	if !p.read(name, "an array of strings", &list) {
		return nil
	}
	if len(list) > most {
		p.note(paramProblem(name, "form_param_array_size_exceeded", "has too many items",
			fmt.Sprintf("%s must not have more than %d items.", name, most)))
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			p.note(problemNil(name))
			return nil
		}
		out[i] = *s
	}
	return out
}

// maxMetadataBytes is Clerk's bound of each metadata field.
const maxMetadataBytes = 8 << 10

// object reads an optional JSON object of bounded size.
func (p *params) object(name string) map[string]any {
	var m map[string]any
	if !p.read(name, "an object", &m) {
		return nil
	}
	if len(p.values[name]) > maxMetadataBytes {
		p.note(problemTooLarge(name))
		return nil
	}
	return m
}

// timestamp reads an optional RFC 3339 time; zero when absent.
func (p *params) timestamp(name string) time.Time {
	s := p.str(name)
	if s == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		p.note(paramProblem(name, "form_param_invalid_time", "is invalid", name+" must be an RFC 3339 time."))
	}
	return t
}

// page reads limit and offset.
func (r *request) page() (limit, offset int, err error) {
	if limit, err = r.queryInt("limit", 10, 1, 500); err != nil {
		return 0, 0, err
	}
	offset, err = r.queryInt("offset", 0, 0, 1<<31-1)
	return limit, offset, err
}

func (r *request) queryInt(name string, otherwise, least, most int) (int, error) {
	text := r.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, paramError(name, "form_param_value_invalid", "is invalid",
			fmt.Sprintf("%s must be an integer between %d and %d.", name, least, most))
	}
	return n, nil
}

// queryOnly refuses query parameters that are not emulated. To ignore a
// filter would be to return what was filtered out.
func (r *request) queryOnly(names ...string) error {
	for name := range r.query {
		if name != versionParam && !slices.Contains(names, name) {
			return paramError(name, "form_param_unknown", "is unknown",
				clip(name)+" is not a parameter that the embedded Clerk knows here.")
		}
	}
	return nil
}
