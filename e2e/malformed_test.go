package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// TestMalformedRequests has what never gets to a mutation. None of the answers may repeat the password.
func TestMalformedRequests(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	const secret = "hunter2-hunter2"
	valid := `{"query":"mutation ($p: String!) { signIn(input: {email: \"ada@example.com\", password: $p}) { __typename } }","variables":{"p":"` + secret + `"}}`

	for _, row := range []struct {
		name   string
		body   string
		header http.Header
		status int
		code   string
		ran    bool // as far as the field that is refused
	}{
		{name: "empty body", status: 400, code: "BAD_REQUEST"},
		{"not JSON", "password=" + secret, nil, 400, "BAD_REQUEST", false},
		{"JSON cut short", valid[:len(valid)-3], nil, 400, "BAD_REQUEST", false},
		{"something after the JSON", valid + valid, nil, 400, "BAD_REQUEST", false},
		{"a batch", "[" + valid + "]", nil, 400, "BAD_REQUEST", false},
		{"a JSON string", `"` + secret + `"`, nil, 400, "BAD_REQUEST", false},
		{"no query", `{"variables":{"p":"` + secret + `"}}`, nil, 400, "BAD_REQUEST", false},
		{"a query that is no string", `{"query":{"password":"` + secret + `"}}`, nil, 400, "BAD_REQUEST", false},
		{"variables that are no object", `{"query":"{ __typename }","variables":"` + secret + `"}`, nil, 400, "BAD_REQUEST", false},
		{"a huge body", `{"query":"` + strings.Repeat("# "+secret+" ", 10_000) + `"}`, nil, 413, "BAD_REQUEST", false},
		{"a form", valid, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 415, "BAD_REQUEST", false},
		{"no content type", valid, http.Header{"Content-Type": {""}}, 415, "BAD_REQUEST", false},
		{"another charset", valid, http.Header{"Content-Type": {"application/json; charset=utf-16"}}, 415, "BAD_REQUEST", false},
		{"a syntax error at the password", `{"query":"mutation { signIn(input: {email: \"a\" password \"` + secret + `\"}) { __typename } }"}`, nil, 200, "GRAPHQL_PARSE_FAILED", false},
		{"an unterminated password", `{"query":"mutation { signIn(input: {password: \"` + secret + `"}`, nil, 200, "GRAPHQL_PARSE_FAILED", false},
		{"a password in the place of a number", `{"query":"query ($n: Int) { __typename @include(if: $n) }","variables":{"n":"` + secret + `"}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password in the place of an enum", `{"query":"query ($n: PasswordRule!) { __typename }","variables":{"n":"` + secret + `"}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password in the place of an input", `{"query":"mutation ($i: SignInInput!) { signIn(input: $i) { __typename } }","variables":{"i":"` + secret + `"}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password without quotes", `{"query":"mutation { signIn(input: {email: \"a@example.com\", password: hunter2hunter2}) { __typename } }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a number for a password, in the document", `{"query":"mutation { signIn(input: {email: \"a@example.com\", password: 90210902109021}) { __typename } }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a number for a password, in the variables", `{"query":"mutation ($p: String!) { signIn(input: {email: \"a@example.com\", password: $p}) { __typename } }","variables":{"p":90210902109021}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", true},
		{"a number for an address", `{"query":"mutation ($p: String!) { signIn(input: {email: $p, password: \"` + secret + `\"}) { __typename } }","variables":{"p":90210902109021}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", true},
		{"a list for a password", `{"query":"mutation ($p: String!) { signIn(input: {email: \"a@example.com\", password: $p}) { __typename } }","variables":{"p":["` + secret + `"]}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"no password", `{"query":"mutation { signIn(input: {email: \"` + secret + `\"}) { __typename } }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"an unknown field", `{"query":"mutation ($i: SignInInput!) { signIn(input: $i) { __typename } }","variables":{"i":{"email":"a","password":"b","secret":"` + secret + `"}}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as operation name", `{"query":"query A { __typename }","operationName":"` + secret + `"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"two mutations", `{"query":"mutation { a: signIn(input: {email: \"a@example.com\", password: \"` + secret + `\"}) { __typename } b: signIn(input: {email: \"a@example.com\", password: \"hunter2\"}) { __typename } }"}`, nil, 200, "BAD_REQUEST", false},
		{"two mutations by a fragment", `{"query":"mutation { ...F requestPasswordReset(input: {email: \"a@example.com\"}) { __typename } } fragment F on Mutation { signIn(input: {email: \"a@example.com\", password: \"` + secret + `\"}) { __typename } }"}`, nil, 200, "BAD_REQUEST", false},
		{"a password where a keyword should be", `{"query":"hunter2hunter2"}`, nil, 200, "GRAPHQL_PARSE_FAILED", false},
		{"a password as variable, in the document", `{"query":"mutation { signIn(input: {email: \"a@example.com\", password: $hunter2}) { __typename } }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as argument", `{"query":"mutation { signIn(hunter2: 1) { __typename } }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as field", `{"query":"{ hunter2 }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as field of a variable", `{"query":"mutation ($i: SignInInput!) { signIn(input: $i) { __typename } }","variables":{"i":{"email":"a","password":"b","hunter2 hunter2":1}}}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as type", `{"query":"query ($i: hunter2) { __typename }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as directive", `{"query":"{ __typename @hunter2 }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"a password as fragment", `{"query":"{ ...hunter2 }"}`, nil, 200, "GRAPHQL_VALIDATION_FAILED", false},
		{"too many tokens", `{"query":"{ ` + strings.Repeat("__typename ", 3000) + `}"}`, nil, 200, "GRAPHQL_PARSE_FAILED", false},
		{"a syntax error for a newer client", `{"query":"{"}`, http.Header{"Accept": {"application/graphql-response+json"}}, 400, "GRAPHQL_PARSE_FAILED", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			clerk.ResetCalls()
			got := a.post(t, row.body, row.header)
			if got.Status != row.status || got.errorCode() != row.code {
				t.Errorf("status %d, code %s; want %d, %s: %s", got.Status, got.errorCode(), row.status, row.code, got.Raw)
			}
			for _, text := range []string{"hunter2", "902109"} {
				if strings.Contains(got.Raw, text) || strings.Contains(a.log.String(), text) {
					t.Errorf("the password came back or was logged: %s", got.Raw)
				}
			}
			if strings.Contains(got.Raw, `"data"`) != row.ran {
				t.Errorf("data where nothing was run, or none where something was: %s", got.Raw)
			}
			if id, _ := got.Errors[0].Extensions["requestId"].(string); id == "" {
				t.Errorf("no request id: %s", got.Raw)
			}
			if calls := clerk.Calls(); len(calls) > 0 {
				t.Errorf("Clerk was called: %v", calls)
			}
		})
	}
}

// TestValidationHelps holds that what is said of a mistake still says what the mistake is.
func TestValidationHelps(t *testing.T) {
	a := startAPI(t, clerkemu.RunT(t))
	for _, row := range []struct {
		document  string
		variables map[string]any
		want      string
	}{
		{`{ viewer { userid } }`, nil, `Cannot query field "…" on type "Viewer". Did you mean "userId"?`},
		{`mutation { signIn(input: {email: "a@example.com"}) { __typename } }`, nil, `do not fit the schema`},
		{`mutation ($i: SignInInput!) { signIn(input: $i) { __typename } }`, nil, `A variable does not fit the schema: it must be defined.`},
		{`mutation ($i: SignInInput!) { signIn(input: $i) { __typename } }`, map[string]any{"i": map[string]any{"email": "a"}}, `A variable does not fit the schema: its field "password" must be defined.`},
		{`mutation { signIn { __typename } }`, nil, `Field "signIn" argument "input" of type "SignInInput!" is required, but it was not provided.`},
	} {
		got := a.query(t, row.document, row.variables, nil)
		if len(got.Errors) == 0 || !strings.Contains(got.Errors[0].Message, row.want) {
			t.Errorf("%s answers %s, want %s", row.document, got.Raw, row.want)
		}
	}
	if got := a.query(t, `mutation { __typename requestPasswordReset(input: {email: "a@example.com"}) { __typename } }`, nil, nil); got.errorCode() != "" {
		t.Errorf("__typename beside a mutation: %s", got.Raw)
	}
}

func TestGETRunsQueriesOnly(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	for _, row := range []struct {
		name, query string
		status      int
	}{
		{"a query", "?query=" + "%7Bviewer%7BuserId%7D%7D", 200},
		{"a mutation", "?query=mutation%7BrequestPasswordReset(input:%7Bemail:%22ada@example.com%22%7D)%7B__typename%7D%7D", 405},
		{"nothing", "", 400},
		{"variables that are not JSON", "?query=%7B__typename%7D&variables=hunter2", 400},
	} {
		resp, err := httpClient.Get(a.url + row.query)
		if err != nil {
			t.Fatal(err)
		}
		var got answer
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		if err != nil || resp.StatusCode != row.status {
			t.Errorf("%s: status %d, want %d (%v)", row.name, resp.StatusCode, row.status, err)
		}
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("Clerk was called: %v", calls)
	}
}
