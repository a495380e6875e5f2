package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

func hash(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// manifest writes a manifest of trusted documents and returns its path.
func manifest(t testing.TB, documents ...string) string {
	t.Helper()
	byHash := map[string]string{}
	for _, document := range documents {
		byHash[hash(document)] = document
	}
	text, err := json.Marshal(byHash)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTrustedDocuments has a server that runs two documents, and every way to ask for them and for others.
func TestTrustedDocuments(t *testing.T) {
	const query = "{ viewer { userId } }"
	const mutation = `mutation Reset($email: String!) { requestPasswordReset(input: {email: $email}) { __typename } }`
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--trusted-documents="+manifest(t, query, mutation))
	body := func(fields map[string]any) string {
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	persisted := func(hash any) map[string]any {
		return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}
	}
	for name, row := range map[string]struct {
		fields map[string]any
		runs   bool
	}{
		"by its hash":                    {map[string]any{"extensions": persisted(hash(query))}, true},
		"by its text":                    {map[string]any{"query": query}, true},
		"by both":                        {map[string]any{"query": query, "extensions": persisted(hash(query))}, true},
		"a mutation by its hash":         {map[string]any{"extensions": persisted(hash(mutation)), "variables": map[string]any{"email": "nobody@example.com"}}, true},
		"another text":                   {map[string]any{"query": "{ viewer { sessionId } }"}, false},
		"another space":                  {map[string]any{"query": query + " "}, false},
		"another text with a hash":       {map[string]any{"query": "{ __typename }", "extensions": persisted(hash(query))}, false},
		"another hash with a text":       {map[string]any{"query": query, "extensions": persisted(hash(mutation))}, false},
		"an attempt to register":         {map[string]any{"query": "{ __typename }", "extensions": persisted(hash("{ __typename }"))}, false},
		"an unknown hash":                {map[string]any{"extensions": persisted(hash("{ __typename }"))}, false},
		"a hash in capitals":             {map[string]any{"extensions": persisted(strings.ToUpper(hash(query)))}, false},
		"a hash that is none":            {map[string]any{"extensions": persisted(1)}, false},
		"an empty hash":                  {map[string]any{"extensions": persisted("")}, false},
		"an empty hash, another text":    {map[string]any{"query": "{ __typename }", "extensions": persisted("")}, false},
		"a persisted query that is none": {map[string]any{"extensions": map[string]any{"persistedQuery": hash(query)}}, false},
		"nothing":                        {map[string]any{}, false},
		"no text":                        {map[string]any{"query": ""}, false},
		"introspection":                  {map[string]any{"query": "{ __schema { queryType { name } } }"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			clerk.ResetCalls()
			got := a.post(t, body(row.fields), nil)
			switch {
			case row.runs:
				if got.Status != http.StatusOK || len(got.Errors) > 0 {
					t.Errorf("status %d, %s", got.Status, got.Raw)
				}
			case got.Status != http.StatusBadRequest || !strings.Contains(got.Raw, "trusted documents only") || got.errorCode() != "BAD_REQUEST" || got.Data != nil || len(clerk.Calls()) > 0:
				t.Errorf("status %d, %s; calls %v", got.Status, got.Raw, clerk.Calls())
			}
		})
	}
	for query, status := range map[string]int{
		"extensions=" + url.QueryEscape(body(persisted(hash(query)))):                                             http.StatusOK,
		"extensions=" + url.QueryEscape(body(persisted(hash("{ __typename }")))):                                  http.StatusBadRequest,
		"query=" + url.QueryEscape("{ __typename }"):                                                              http.StatusBadRequest,
		"extensions=" + url.QueryEscape(body(persisted(hash(mutation)))) + "&variables=%7B%22email%22:%22a%22%7D": http.StatusMethodNotAllowed,
	} {
		if got, _ := get(t, a.url+"?"+query); got != status {
			t.Errorf("GET %s: status %d, want %d", query, got, status)
		}
	}
}
