package graph_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"clerkql/graph"
	"clerkql/graph/generated"
)

// noResolvers has no way to answer, so what gets as far as a resolver ends as a fault of ours.
type noResolvers struct{ generated.ResolverRoot }

func (noResolvers) Mutation() generated.MutationResolver { return nil }
func (noResolvers) Query() generated.QueryResolver       { return nil }
func (noResolvers) Viewer() generated.ViewerResolver     { return nil }

// FuzzBody holds that whatever is posted gets a well-formed answer, and one that says whose mistake it was.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"query":"{ __typename }"}`,
		`{"query":"mutation($i: SignInInput!) { signIn(input: $i) { __typename } }","variables":{"i":{"email":"a@b.c","password":"p"}}}`,
		`{"query":"query A { viewer { userId } } query B { ...F } fragment F on Query { ...F }","operationName":"B"}`,
		`{"query":"{ a: passwordPolicy { minLength @skip(if: true) } }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`,
		`[{"query":"{ __typename }"}]`, `{"query":null}`, `{"query":"{","variables":[]}`, "", "null", "\xff", `{"query":"\u0000"}`,
	} {
		f.Add(body, "application/json", "application/graphql-response+json")
	}
	f.Add(`{"query":"{ __typename }"}`, "application/json; charset=utf-16", "text/html")
	handler, err := graph.NewHandler(generated.NewExecutableSchema(generated.Config{Resolvers: noResolvers{}}), graph.Options{
		Logger: slog.New(slog.DiscardHandler), MaxMutations: 1, Idempotency: newKeeper(f), Persisted: newDocuments(f),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, contentType, accept string) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(body))
		req.Header = http.Header{"Content-Type": {contentType}, "Accept": {accept}}
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, req)
		var answer struct {
			Data   json.RawMessage
			Errors []struct {
				Message    string
				Extensions struct{ Code string }
			}
		}
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
			t.Fatalf("status %d, %v: %q", got.Code, err, got.Body)
		}
		if got.Code >= http.StatusInternalServerError || answer.Data == nil && len(answer.Errors) == 0 {
			t.Errorf("status %d: %s", got.Code, got.Body)
		}
		for _, e := range answer.Errors {
			if e.Message == "" || e.Extensions.Code == "" {
				t.Errorf("an error without message or code: %s", got.Body)
			}
		}
	})
}
