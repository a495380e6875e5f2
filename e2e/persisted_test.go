package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/internal/redistest"
)

// named is a request that names a document by a hash, and may have its text.
func named(t testing.TB, document, hash string, variables map[string]any) string {
	t.Helper()
	fields := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}, "variables": variables}
	if document != "" {
		fields["query"] = document
	}
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestPersistedQueries is the protocol of Apollo's automatic persisted queries: by hash, then by hash and text, then by hash for ever.
func TestPersistedQueries(t *testing.T) {
	const query = `{ passwordPolicy { minLength } }`
	const mutation = `mutation($email: String!) { requestPasswordReset(input: {email: $email}) { __typename } }`
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	for document, variables := range map[string]map[string]any{query: nil, mutation: {"email": "nobody@example.com"}} {
		unknown := a.post(t, named(t, "", hash(document), variables), nil)
		if unknown.Status != http.StatusOK || unknown.errorCode() != "PERSISTED_QUERY_NOT_FOUND" || unknown.Errors[0].Message != "PersistedQueryNotFound" || unknown.Data != nil {
			t.Errorf("unknown: %d %s", unknown.Status, unknown.Raw)
		}
		if newer := a.post(t, named(t, "", hash(document), variables), http.Header{"Accept": {"application/graphql-response+json"}}); newer.Status != http.StatusBadRequest {
			t.Errorf("unknown: %d %s", newer.Status, newer.Raw)
		}
		for _, body := range []string{named(t, document, hash(document), variables), named(t, "", hash(document), variables)} {
			if got := a.post(t, body, nil); got.Status != http.StatusOK || len(got.Errors) > 0 {
				t.Errorf("%s: %s", body, got.Raw)
			}
		}
	}

	// With GET, too, which is what caches are for. Mutations stay out.
	const other = `{ passwordPolicy { maxLength } }`
	ask := func(document, text string) (int, string) {
		extensions := url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"` + hash(document) + `"}}`)
		return get(t, a.url+"?extensions="+extensions+"&query="+url.QueryEscape(text))
	}
	for _, row := range []struct {
		document, text string
		status         int
		answer         string
	}{
		{other, "", http.StatusOK, "PERSISTED_QUERY_NOT_FOUND"},
		{other, other, http.StatusOK, "maxLength"},
		{other, "", http.StatusOK, "maxLength"},
		{query, "", http.StatusOK, "minLength"},
		{mutation, "", http.StatusOK, "GRAPHQL_VALIDATION_FAILED"}, // it lacks its variable
		{`mutation { signOut { __typename } }`, `mutation { signOut { __typename } }`, http.StatusMethodNotAllowed, "GET runs queries only"},
		{`mutation { signOut { __typename } }`, "", http.StatusOK, "PERSISTED_QUERY_NOT_FOUND"},
	} {
		if status, answer := ask(row.document, row.text); status != row.status || !strings.Contains(answer, row.answer) {
			t.Errorf("GET %s %s: %d %s", row.document, row.text, status, answer)
		}
	}
}

// TestWhatIsNoPersistedQuery has requests that are refused, and documents that are not kept: nobody can fill the room for documents with anything else.
func TestWhatIsNoPersistedQuery(t *testing.T) {
	const query = `{ passwordPolicy { minLength } }`
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	for name, row := range map[string]struct {
		body, code string
		status     int
	}{
		"another hash":     {named(t, query, hash("{ __typename }"), nil), "BAD_REQUEST", 400},
		"in capitals":      {named(t, query, strings.ToUpper(hash(query)), nil), "BAD_REQUEST", 400},
		"no hash":          {`{"extensions":{"persistedQuery":{"version":1}}}`, "BAD_REQUEST", 400},
		"a number":         {`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":1}}}`, "BAD_REQUEST", 400},
		"an empty hash":    {named(t, "", "", nil), "BAD_REQUEST", 400},
		"version 2":        {strings.Replace(named(t, query, hash(query), nil), `"version":1`, `"version":2`, 1), "PERSISTED_QUERY_NOT_SUPPORTED", 200},
		"no version":       {`{"extensions":{"persistedQuery":{"sha256Hash":"` + hash(query) + `"}}}`, "PERSISTED_QUERY_NOT_SUPPORTED", 200},
		"no object":        {`{"extensions":{"persistedQuery":"` + hash(query) + `"}}`, "PERSISTED_QUERY_NOT_SUPPORTED", 200},
		"nothing is named": {`{"extensions":{"persistedQuery":null}}`, "BAD_REQUEST", 400},
	} {
		if got := a.post(t, row.body, nil); got.errorCode() != row.code || got.Status != row.status || got.Data != nil {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
	for name, row := range map[string]struct{ document, code string }{
		"no GraphQL":          {"hunter2", "GRAPHQL_PARSE_FAILED"},
		"not of the schema":   {"{ hunter2 }", "GRAPHQL_VALIDATION_FAILED"},
		"nothing to run":      {"fragment F on Query { __typename }", "GRAPHQL_VALIDATION_FAILED"},
		"beyond the limits":   {"{ " + strings.Repeat("__typename @skip(if: false) ", 20) + "}", "BAD_REQUEST"},
		"introspection":       {"{ __schema { queryType { name } } }", ""}, // the tests' server has a Playground
		"longer than 8 KB":    {query + strings.Repeat(" ", 8<<10), ""},
		"almost 8 KB":         {query + strings.Repeat(" ", 8<<10-len(query)), ""},
		"an empty text":       {"", "PERSISTED_QUERY_NOT_FOUND"},
		"a comment, no query": {"# hunter2", "GRAPHQL_VALIDATION_FAILED"},
		"a password":          {`mutation { signIn(input: {email: "nobody@example.com", password: "hunter2"}) { __typename } }`, ""},
		"in a block":          {`mutation { signOut(input: {refreshToken: """hunter2"""}) { __typename } }`, ""},
		"in a default":        {`mutation ($token: String = "hunter2") { signOut(input: {refreshToken: $token}) { __typename } }`, ""},
	} {
		if got := a.post(t, named(t, row.document, hash(row.document), nil), nil); got.errorCode() != row.code {
			t.Errorf("%s: %s", name, got.Raw)
		}
		kept := a.post(t, named(t, "", hash(row.document), nil), nil).errorCode() != "PERSISTED_QUERY_NOT_FOUND"
		if want := row.code == "" && len(row.document) <= 8<<10 && !strings.Contains(row.document, "hunter2"); kept != want {
			t.Errorf("%s: kept is %v", name, kept)
		}
	}
}

// TestReplicasSharePersistedQueries has a document told to one replica, and named to another, with a Redis and without.
func TestReplicasSharePersistedQueries(t *testing.T) {
	clerk := clerkemu.RunT(t)
	server := redistest.Start(t)
	flag := "--redis-url=redis://" + server.Address
	one, other := startAPI(t, clerk, flag), startAPI(t, clerk, flag)
	document := func(i string) string { return "query Q" + i + " { passwordPolicy { minLength } }" }
	tell := func(a *api, i string) {
		t.Helper()
		if got := a.post(t, named(t, document(i), hash(document(i)), nil), nil); len(got.Errors) > 0 {
			t.Fatal(got.Raw)
		}
	}
	knows := func(a *api, i string) bool {
		return a.post(t, named(t, "", hash(document(i)), nil), nil).errorCode() != "PERSISTED_QUERY_NOT_FOUND"
	}
	tell(one, "1")
	if !knows(other, "1") {
		t.Error("the other replica does not know what one was told")
	}
	server.Kill()
	if !knows(one, "1") || !knows(other, "1") || knows(other, "2") {
		t.Error("in an outage, each knows what it knew")
	}
	tell(one, "2")
	if !knows(one, "2") || knows(other, "2") {
		t.Error("in an outage, what one is told, the other is not")
	}
	tell(other, "2")
	if !knows(other, "2") {
		t.Error("a client that is told NotFound can't go on")
	}
	server.Restart()
	for deadline, i := time.Now().Add(10*time.Second), "3"; ; i += "3" {
		if tell(one, i); knows(other, i) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not shared again")
		}
		tell(other, i) // as the client would, which has it look for Redis, too
		time.Sleep(50 * time.Millisecond)
	}
}
