package clerkemu

import (
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

// documents are Clerk's OpenAPI documents.
type documents struct {
	backend, frontend *openapi3.T
}

var loadSpec = sync.OnceValues(func() (spec documents, err error) {
	if spec.backend, err = loadDocument("bapi-2025-04-10.yml"); err != nil {
		return spec, err
	}
	spec.frontend, err = loadDocument("fapi-2025-04-10.yml")
	return spec, err
})

func loadDocument(name string) (*openapi3.T, error) {
	path := filepath.Join(specDir(), name)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return openapi3.NewLoader().LoadFromFile(path)
}

// needSpec skips a test without the documents, but never in CI.
func needSpec(t *testing.T) documents {
	t.Helper()
	spec, err := loadSpec()
	if err != nil {
		const text = "CLERK'S OPENAPI DOCUMENTS ARE NOT THERE, so answers were NOT checked: set CLERK_OPENAPI_DIR (%v)"
		if os.Getenv("CI") == "true" || !os.IsNotExist(err) {
			t.Fatalf(text, err)
		}
		t.Skipf(text, err)
	}
	return spec
}

// find looks up the operation that a path below /v1 means, and what we call it.
func (d documents) find(method, path string) (op *openapi3.Operation, id string) {
	prefix := ""
	if strings.HasPrefix(path, "/client/") {
		op, prefix = findOperation(d.frontend, method, apiPath+path), "fapi."
	} else {
		op = findOperation(d.backend, method, path)
	}
	if op == nil {
		return nil, ""
	}
	return op, prefix + op.OperationID
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
		if _, id := spec.find(op.method, op.path); id != op.id {
			t.Errorf("%s %s is %q in the documents, not %s", op.method, op.path, id, op.id)
		}
	}
}

// TestEveryOperationAnswersByTheDocument has each operation succeed under the
// eyes of specTransport. TestErrorsAreThoseOfTheDocument has them fail.
func TestEveryOperationAnswersByTheDocument(t *testing.T) {
	needSpec(t)
	f := start(t)
	created := f.ok("POST", "/users", map[string]any{
		"email_address":                       []string{"ada@example.com", "spare@example.com"},
		"email_address_identification_status": []string{"reserved", "verified"},
		"password":                            goodPassword,
		"first_name":                          "Ada",
		"totp_secret":                         totpSecret,
		"backup_codes":                        []string{"backup-one"},
		"public_metadata":                     map[string]any{"plan": "free"},
		"created_at":                          "2020-01-02T03:04:05Z",
		"legal_accepted_at":                   "2020-01-02T03:04:05Z",
		"external_id":                         "ext-1",
		"create_organizations_limit":          3,
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
	code := f.code("ada@example.com")
	f.ok("POST", email+"/attempt_verification", map[string]any{"verification_id": v["id"], "code": wrongCode(code)})
	f.ok("POST", email+"/attempt_verification", map[string]any{"verification_id": v["id"], "code": code})
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
	f.ok("GET", "/instance", nil)
	signIn := f.signIn(f.ticket(created["id"].(string)), "")
	f.native(signIn.tokensPath(), nil, signIn.clientToken())
	f.ok("GET", "/sessions/"+signIn.sessionID(), nil) // now with an activity
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
	}
}
