package clerkemu

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// specTransport checks every answer that passes through it. Without the
// document it still checks what needs none.
type specTransport struct {
	t    *testing.T
	now  func() time.Time // the clock of the server
	next http.RoundTripper
}

func (s *specTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	a := received{
		t: s.t, where: req.Method + " " + req.URL.Path + " " + resp.Status,
		status: resp.StatusCode, header: resp.Header, body: body,
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		a.errorf("Content-Type %q", got)
	}
	if err := json.Unmarshal(body, &a.value); err != nil {
		a.errorf("%v", err)
		return resp, nil
	}
	if a.status >= 400 {
		a.checkEnvelope()
	}
	a.checkTimes(a.value, s.now())
	if spec, err := loadSpec(); err == nil {
		a.checkAgainst(spec, req)
	}
	return resp, nil
}

// received is an answer that is being checked.
type received struct {
	t      *testing.T
	where  string
	status int
	header http.Header
	body   []byte
	value  any // the decoded body
}

func (a *received) errorf(format string, args ...any) {
	a.t.Helper()
	a.t.Errorf(a.where+": "+format+"\n%s", append(args, a.body)...)
}

// checkEnvelope wants every error to be one of Clerk's, also where the
// document says nothing about it.
func (a *received) checkEnvelope() {
	object, _ := a.value.(map[string]any)
	items, _ := object["errors"].([]any)
	if len(items) == 0 {
		a.errorf("no errors")
	}
	for _, item := range items {
		entry, _ := item.(map[string]any)
		for _, field := range []string{"message", "long_message", "code"} {
			if text, _ := entry[field].(string); text == "" {
				a.errorf("%s is missing", field)
			}
		}
	}
	trace, _ := object["clerk_trace_id"].(string)
	if trace == "" || trace != a.header.Get("Clerk-Trace-Id") {
		a.errorf("clerk_trace_id %q and header differ or are missing", trace)
	}
	if _, ok := object["meta"].(map[string]any); !ok {
		a.errorf("meta is missing")
	}
}

// injected tells whether the answer is one that a test asked for.
func (a *received) injected() bool {
	return bytes.Contains(a.body, []byte(`"message":"injected fault"`))
}

// checkTimes wants every number that is called ..._at, at any depth, to be a
// plausible time in milliseconds: near the clock of the server, and not after
// it but for times that lie ahead by their nature.
func (a *received) checkTimes(value any, now time.Time) {
	const year = 365 * 24 * time.Hour
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			a.checkTimes(item, now)
		}
	case map[string]any:
		for key, item := range v {
			if strings.HasSuffix(key, "_metadata") {
				continue // anything at all
			}
			millis, isNumber := item.(float64)
			if !isNumber || !strings.HasSuffix(key, "_at") {
				a.checkTimes(item, now)
				continue
			}
			oldest, newest := now.Add(-year), now.Add(time.Hour) // some tests turn the clock back
			switch key {
			case "created_at", "legal_accepted_at": // as the client says
				oldest = now.Add(-30 * year)
			case "expire_at", "abandon_at":
				newest = now.Add(year)
			}
			if at := time.UnixMilli(int64(millis)); at.Before(oldest) || at.After(newest) {
				a.errorf("%s would be %s, and it is %s", key, at.UTC(), now.UTC())
			}
		}
	}
}

// checkAgainst holds the answer against what the document has for its
// operation and status.
func (a *received) checkAgainst(spec documents, req *http.Request) {
	if a.injected() {
		return
	}
	op, id := spec.find(req.Method, strings.TrimPrefix(req.URL.Path, apiPath))
	if op == nil || !serves(id) {
		if a.status != http.StatusNotFound && a.status != http.StatusUnauthorized {
			a.errorf("not one of our operations")
		}
		return
	}
	declared := op.Responses.Status(a.status)
	switch {
	case declared == nil:
		if !slices.Contains(pairsOf(undeclaredErrors()), pair{id, a.status}) {
			a.errorf("the document does not declare %d for %s, and undeclaredErrors gives no reason for it", a.status, id)
		}
		return
	case declared.Value.Content.Get("application/json") == nil:
		if a.status < 400 {
			a.errorf("the document has no schema for a success")
		}
		return // verify_password and verify_totp: errors without a schema
	}
	schema := declared.Value.Content.Get("application/json").Schema.Value
	value := a.value
	if page, ok := value.(map[string]any); ok && req.URL.Query().Get("paginated") == "true" {
		value = page["data"] // the document describes the plain array only
	}
	if err := schema.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		a.errorf("%v", err)
	}
	if a.status < 400 {
		a.checkMissing(schema, value, id)
		a.checkConstants(schema, id)
	}
}

func serves(operationID string) bool {
	return slices.ContainsFunc(operations(), func(op operation) bool { return op.id == operationID })
}

// checkMissing wants all that the document names, whether or not it is
// required: clients of Clerk can rely on it.
func (a *received) checkMissing(schema *openapi3.Schema, value any, where string) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if schema.Items != nil {
				a.checkMissing(schema.Items.Value, item, where+"[]")
			}
		}
	case map[string]any:
		for _, part := range schema.AllOf {
			a.checkMissing(part.Value, value, where)
		}
		kind, _ := v["object"].(string)
		for name, property := range schema.Properties {
			if item, ok := v[name]; ok {
				a.checkMissing(property.Value, item, where+"."+name)
			} else if !slices.Contains(leftOut(), kind+"."+name) && !slices.Contains(leftOut(), where+"."+name) {
				a.errorf("%s of %s is missing", name, where)
			}
		}
	}
}

// leftOut names the properties that are missing on purpose, of an object or of
// the answer of an operation. The document requires none of them, and
// docs/clerkemu-divergences.md lists them.
func leftOut() []string {
	return []string{
		"user.image_url", "user.profile_image_url", "user.organization_memberships", "user.scim",
		"session.actor", "session.tasks", "session_activity.city", "session_activity.country",
		"fapi.createSignIn.client.sessions[].user.private_metadata",
		"fapi.createSignIn.client.sessions[].user.create_organizations_limit",
		"fapi.createSignIn.response.user_data.image_url", "fapi.createSignIn.response.user_data.profile_image_url",
		"RevokeSignInToken.token",
		"DeleteUser.slug", "DeleteUser.external_id", "DeleteEmailAddress.slug", "DeleteEmailAddress.external_id",
	}
}

// checkConstants checks what the document leaves open as any string.
func (a *received) checkConstants(schema *openapi3.Schema, operationID string) {
	verification := map[string][]string{
		"object": {"verification"}, "strategy": {"email_code"}, "status": {"unverified", "verified", "expired", "failed"},
	}
	allowed := map[string]map[string][]string{
		"PrepareEmailAddressVerification": verification,
		"AttemptEmailAddressVerification": verification,
		"DeleteEmailAddress":              {"object": {"email_address"}},
		"DeleteUser":                      {"object": {"user"}},
	}[operationID]
	if object := schema.Properties["object"]; object != nil && len(object.Value.Enum) == 0 && allowed["object"] == nil {
		a.errorf("the document leaves open what object is")
	}
	body, _ := a.value.(map[string]any)
	for name, values := range allowed {
		if text, _ := body[name].(string); !slices.Contains(values, text) {
			a.errorf("%s is %q, not one of %q", name, text, values)
		}
	}
}
