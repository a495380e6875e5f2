package clerkemu

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// specDir is where Clerk's OpenAPI documents are.
func specDir() string {
	if dir := os.Getenv("CLERK_OPENAPI_DIR"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "shared", "clerk-openapi")
}

var loadSpec = sync.OnceValues(func() (*openapi3.T, error) {
	path := filepath.Join(specDir(), "bapi-2025-04-10.yml")
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromFile(path)
})

// needSpec skips a test without the document, but never in CI.
func needSpec(t *testing.T) *openapi3.T {
	t.Helper()
	spec, err := loadSpec()
	if err != nil {
		const text = "CLERK'S OPENAPI DOCUMENT IS NOT THERE, so answers were NOT checked: set CLERK_OPENAPI_DIR (%v)"
		if os.Getenv("CI") == "true" || !os.IsNotExist(err) {
			t.Fatalf(text, err)
		}
		t.Skipf(text, err)
	}
	return spec
}

// specTransport checks every answer that passes through it.
type specTransport struct {
	t    *testing.T
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
	if spec, err := loadSpec(); err == nil {
		checkAnswer(s.t, spec, req, resp, body)
	}
	return resp, nil
}

// checkAnswer holds one answer against the schema of its operation and
// status. Where the document has none, an error must still be an envelope.
func checkAnswer(t *testing.T, spec *openapi3.T, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	where := req.Method + " " + req.URL.Path + " " + resp.Status
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: Content-Type %q", where, got)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	if resp.StatusCode >= 400 {
		checkEnvelope(t, where, resp, value)
	}
	schema := responseSchema(spec, req, resp.StatusCode)
	if schema == nil {
		if resp.StatusCode < 400 {
			t.Errorf("%s: the document has no schema for a success", where)
		}
		return
	}
	if page, ok := value.(map[string]any); ok && req.URL.Query().Get("paginated") == "true" {
		value = page["data"] // the document describes the plain array only
	}
	if err := schema.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors()); err != nil {
		t.Errorf("%s: %v\n%s", where, err, body)
	}
}

func checkEnvelope(t *testing.T, where string, resp *http.Response, value any) {
	t.Helper()
	object, _ := value.(map[string]any)
	items, _ := object["errors"].([]any)
	if len(items) == 0 {
		t.Errorf("%s: no errors: %v", where, value)
	}
	for _, item := range items {
		entry, _ := item.(map[string]any)
		for _, field := range []string{"message", "long_message", "code"} {
			if text, _ := entry[field].(string); text == "" {
				t.Errorf("%s: %s is missing: %v", where, field, value)
			}
		}
	}
	trace, _ := object["clerk_trace_id"].(string)
	if trace == "" || trace != resp.Header.Get("Clerk-Trace-Id") {
		t.Errorf("%s: clerk_trace_id %q and header differ or are missing", where, trace)
	}
	if _, ok := object["meta"].(map[string]any); !ok {
		t.Errorf("%s: meta is missing", where)
	}
}

// responseSchema is the JSON schema of an operation's status, or nil.
func responseSchema(spec *openapi3.T, req *http.Request, status int) *openapi3.Schema {
	op := findOperation(spec, req.Method, strings.TrimPrefix(req.URL.Path, apiPath))
	if op == nil {
		return nil
	}
	response := op.Responses.Status(status)
	if response == nil || response.Value.Content.Get("application/json") == nil {
		return nil
	}
	return response.Value.Content.Get("application/json").Schema.Value
}

// findOperation prefers a path without parameters, as OpenAPI wants it.
func findOperation(spec *openapi3.T, method, path string) *openapi3.Operation {
	if item := spec.Paths.Value(path); item != nil {
		return item.GetOperation(method)
	}
	segments := strings.Split(path, "/")
	for template, item := range spec.Paths.Map() {
		parts := strings.Split(template, "/")
		matches := len(parts) == len(segments)
		for i := 0; matches && i < len(parts); i++ {
			matches = parts[i] == segments[i] || strings.HasPrefix(parts[i], "{")
		}
		if matches && item.GetOperation(method) != nil {
			return item.GetOperation(method)
		}
	}
	return nil
}

func TestOperationsAreThoseOfTheDocument(t *testing.T) {
	spec := needSpec(t)
	for _, op := range operations() {
		found := findOperation(spec, op.method, op.path)
		if found == nil {
			t.Errorf("%s %s is not in the document", op.method, op.path)
			continue
		}
		if found.OperationID != op.id {
			t.Errorf("%s %s is %s in the document, not %s", op.method, op.path, found.OperationID, op.id)
		}
	}
}

// TestEveryOperationAnswersByTheDocument has each operation succeed, and fail
// where it can, under the eyes of specTransport.
func TestEveryOperationAnswersByTheDocument(t *testing.T) {
	needSpec(t)
	f := start(t)
	created := f.ok("POST", "/users", map[string]any{
		"email_address": []string{"ada@example.com", "spare@example.com"}, "email_address_identification_status": []string{"reserved", "verified"},
		"password": goodPassword, "first_name": "Ada", "totp_secret": totpSecret, "backup_codes": []string{"backup-one"},
		"public_metadata": map[string]any{"plan": "free"}, "created_at": "2020-01-02T03:04:05Z", "legal_accepted_at": "2020-01-02T03:04:05Z",
		"external_id": "ext-1", "create_organizations_limit": 3,
	})
	user := "/users/" + created["id"].(string)
	id := map[string]any{"user_id": created["id"]}
	email := "/email_addresses/" + created["primary_email_address_id"].(string)

	f.do("GET", "/users", nil)
	f.ok("GET", "/users/count", nil)
	f.ok("GET", user, nil)
	f.ok("PATCH", user, map[string]any{"last_name": "Lovelace"})
	f.ok("PATCH", user+"/metadata", map[string]any{"private_metadata": map[string]any{"a": 1}})
	f.ok("POST", user+"/verify_password", map[string]any{"password": goodPassword})
	f.ok("POST", user+"/verify_totp", map[string]any{"code": "backup-one"})
	f.ok("GET", email, nil)
	v := f.ok("POST", email+"/prepare_verification", nil)
	f.ok("POST", email+"/attempt_verification", map[string]any{"verification_id": v["id"], "code": wrongCode(f.code("ada@example.com"))})
	f.ok("POST", email+"/attempt_verification", map[string]any{"verification_id": v["id"], "code": f.code("ada@example.com")})
	f.ok("GET", user, nil) // now with a verification_otp
	added := f.ok("POST", "/email_addresses", map[string]any{"user_id": created["id"], "email_address": "more@example.com"})
	f.ok("PATCH", "/email_addresses/"+added["id"].(string), map[string]any{"verified": true, "primary": true})
	f.ok("DELETE", "/email_addresses/"+added["id"].(string), nil)
	sess := f.ok("POST", "/sessions", id)
	session := "/sessions/" + sess["id"].(string)
	f.ok("GET", session, nil)
	f.do("GET", "/sessions?user_id="+created["id"].(string), nil)
	f.ok("GET", "/sessions?paginated=true&user_id="+created["id"].(string), nil)
	f.ok("POST", session+"/tokens", "null")
	f.ok("POST", session+"/revoke", "null")
	ticket := f.ok("POST", "/sign_in_tokens", id)
	f.ok("POST", "/sign_in_tokens/"+ticket["id"].(string)+"/revoke", nil)
	f.ok("GET", "/jwks", nil)
	f.ok("GET", "/domains", nil)
	for _, verb := range []string{"/lock", "/unlock", "/ban", "/unban"} {
		f.ok("POST", user+verb, nil)
	}
	f.ok("DELETE", user, nil)

	succeeded := map[string]bool{}
	for _, call := range f.Calls() {
		succeeded[call.Operation] = succeeded[call.Operation] || call.Status == http.StatusOK
	}
	for _, op := range operations() {
		if !succeeded[op.id] {
			t.Errorf("%s was not exercised", op.id)
		}
		path := strings.ReplaceAll(op.path, "{id}", "nothing_0000")
		if r := f.do(op.method, path, nil, "Authorization", "Bearer wrong"); r.status != http.StatusUnauthorized {
			t.Errorf("%s with a wrong key: %d", op.id, r.status)
		}
		if strings.Contains(op.path, "{id}") {
			body := map[string]any{}
			switch op.id {
			case "VerifyPassword":
				body["password"] = "x"
			case "VerifyTOTP":
				body["code"] = "123456"
			case "AttemptEmailAddressVerification":
				body["code"], body["verification_id"] = "123456", "ver_0"
			}
			f.do(op.method, path, body).want(t, http.StatusNotFound, "resource_not_found")
		}
	}
}
