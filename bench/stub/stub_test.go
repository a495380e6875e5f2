package stub_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"clerkql/bench/stub"
	"clerkql/clerkemu"
)

// TestMain holds that no goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	email    = "ada@example.com"
	password = "difference engine 1843"
)

// TestAnswersHaveTheShapeOfClerks makes the calls of the flows to the stub and to the embedded Clerk, whose answers are checked against Clerk's specification.
func TestAnswersHaveTheShapeOfClerks(t *testing.T) {
	clerk := clerkemu.RunT(t)
	if _, err := clerk.SeedUser(clerkemu.UserSeed{EmailAddress: email, Password: password, FirstName: "Ada", LastName: "King"}); err != nil {
		t.Fatal(err)
	}
	canned, err := stub.New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(canned.Handler())
	defer server.Close()
	real := callAll(t, clerk.URL(), clerk.SecretKey())
	for name, got := range callAll(t, server.URL, stub.SecretKey) {
		for _, problem := range differences(name, real[name], got) {
			t.Error(problem)
		}
	}
}

// callAll makes all calls, each with the ids that the ones before it answered.
func callAll(t *testing.T, url, key string) map[string]any {
	t.Helper()
	answers := map[string]any{}
	call := func(name, method, path, body string) map[string]any {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+"/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Clerk-Trace-Id") == "" {
			t.Fatalf("%s: %s, %v: %v %s", name, resp.Status, err, resp.Header, text)
		}
		var answer any
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answers[name] = answer
		if list, ok := answer.([]any); ok && len(list) == 1 {
			answer = list[0]
		}
		object, _ := answer.(map[string]any)
		return object
	}
	found := call("find", http.MethodGet, "/users?email_address="+email, "")
	call("verify", http.MethodPost, fmt.Sprintf("/users/%s/verify_password", found["id"]), `{"password":"`+password+`"}`)
	session := call("session", http.MethodPost, "/sessions", fmt.Sprintf(`{"user_id":%q}`, found["id"]))
	call("token", http.MethodPost, fmt.Sprintf("/sessions/%s/tokens", session["id"]), "")
	created := call("create", http.MethodPost, "/users", `{"email_address":["grace@example.com"],"password":"`+password+
		`","first_name":"Grace","email_address_identification_status":["reserved"],"private_metadata":{"a":true}}`)
	address := created["email_addresses"].([]any)[0].(map[string]any)
	call("prepare", http.MethodPost, fmt.Sprintf("/email_addresses/%s/prepare_verification", address["id"]), `{"strategy":"email_code"}`)
	call("keys", http.MethodGet, "/jwks", "")
	call("domains", http.MethodGet, "/domains", "")
	return answers
}

// differences tells what an answer lacks of another's shape: keys, or values of the same kind, if neither is null. It may have more.
func differences(path string, want, got any) (problems []string) {
	if want == nil || got == nil {
		return nil
	}
	if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
		return []string{fmt.Sprintf("%s: %T, where Clerk has %T", path, got, want)}
	}
	switch want := want.(type) {
	case map[string]any:
		if strings.HasSuffix(path, "_metadata") { // of any shape
			return nil
		}
		got := got.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, found := got[key]
			if !found {
				problems = append(problems, fmt.Sprintf("%s.%s is missing", path, key))
			}
			problems = append(problems, differences(path+"."+key, want[key], value)...)
		}
	case []any:
		got := got.([]any)
		if len(want) > 0 && len(got) > 0 {
			return differences(path+"[]", want[0], got[0])
		}
		if len(want) != len(got) {
			return []string{path + ": empty in one of them"}
		}
	}
	return problems
}
