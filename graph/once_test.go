package graph_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"clerkql/graph"
	"clerkql/graph/generated"
	"clerkql/internal/idempotency"
	"clerkql/internal/persisted"
)

// newKeeper returns a Keeper over a memory of its own.
func newKeeper(t testing.TB) *idempotency.Keeper {
	t.Helper()
	store, err := idempotency.NewMemory(100, 1<<20, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := idempotency.NewKeeper(idempotency.Options{
		Keys: [][]byte{make([]byte, 32)}, Store: store, Lease: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return keeper
}

func newDocuments(t testing.TB) *persisted.Memory {
	t.Helper()
	documents, err := persisted.NewMemory(10)
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// panics is a schema that panics where no resolver does.
type panics struct{ graphql.ExecutableSchema }

func (panics) Exec(context.Context) graphql.ResponseHandler { panic("hunter2") }

// TestAFaultIsNoAnswer: a mutation that ended with a fault, or a panic, runs again, and its key is free. It runs even if its client is gone already.
func TestAFaultIsNoAnswer(t *testing.T) {
	schema := generated.NewExecutableSchema(generated.Config{Resolvers: noResolvers{}})
	for name, row := range map[string]struct {
		schema graphql.ExecutableSchema
		status int
	}{
		"a fault": {schema, http.StatusOK},
		"a panic": {panics{schema}, http.StatusInternalServerError},
	} {
		handler, err := graph.NewHandler(row.schema, graph.Options{Logger: slog.New(slog.DiscardHandler), MaxMutations: 1, Idempotency: newKeeper(t), Persisted: newDocuments(t)})
		if err != nil {
			t.Fatal(err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		for _, body := range []string{
			`{"query":"mutation { signOut { __typename } }"}`, `{"query":"mutation { signOut { __typename } }"}`, `{"query":"mutation { signOutEverywhere { __typename } }"}`,
		} {
			req := httptest.NewRequestWithContext(gone, http.MethodPost, "/graphql", strings.NewReader(body))
			req.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"8e03978e-40d5-43dd-bc93-6894a57f9324"}}
			got := httptest.NewRecorder()
			handler.ServeHTTP(got, req)
			if got.Code != row.status || !strings.Contains(got.Body.String(), "INTERNAL_SERVER_ERROR") || got.Header().Get("Idempotency-Replayed") != "" {
				t.Errorf("%s: %s: %d %s", name, body, got.Code, got.Body)
			}
		}
	}
}
