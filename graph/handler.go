// Package graph serves GraphQL over HTTP: transport, limits, and errors that show nothing they should not. It knows the
// generated schema's shape only through gqlgen's interface; server.go hands it the schema with its resolvers.
package graph

import (
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"clerkql/internal/idempotency"
	"clerkql/internal/persisted"
)

const (
	// queryCacheSize is how many parsed documents are kept. Anybody can fill it, and one of 1000 tokens takes 230 KB.
	queryCacheSize = 100
	// parserTokenLimit bounds a document. The largest that the schema has a use for takes about 300 tokens; the
	// introspection query of common tools about 400.
	parserTokenLimit = 1000
	// complexityLimit bounds what a document can cost. A field costs 1, unless the schema's resolvers say otherwise. A mutation that
	// asks for every field of every member costs about 70.
	complexityLimit = 200
)

// Options are the settings of a Handler.
type Options struct {
	Logger *slog.Logger
	// Introspection lets clients ask for the schema.
	Introspection bool
	// MaxMutations is how many mutations a request may run.
	MaxMutations int
	// SameOrigin refuses what a page of another origin has a browser send, as there are cookies that the browser adds.
	SameOrigin bool
	// TrustedOrigins are other origins whose pages are not refused.
	TrustedOrigins []string
	// TrustedDocuments are the only ones that run, by the hexadecimal SHA-256 of their text. Nil: every document does.
	TrustedDocuments map[string]string
	// Idempotency keeps the answers to mutations that have an Idempotency-Key. Required.
	Idempotency *idempotency.Keeper
	// Persisted keeps documents that clients name by their hash, if there are no TrustedDocuments. Required.
	Persisted persisted.Store
}

// NewHandler serves a schema with its resolvers. The error is of a trusted origin or document that can't be one.
func NewHandler(schema graphql.ExecutableSchema, opts Options) (http.Handler, error) {
	transport, err := newTransport(opts)
	if err != nil {
		return nil, err
	}
	if err := trustedDocuments(opts.TrustedDocuments).check(schema.Schema()); err != nil {
		return nil, err
	}
	server := handler.New(schema)
	server.AddTransport(transport)
	server.SetQueryCache(lru.New[*ast.QueryDocument](queryCacheSize))
	server.SetParserTokenLimit(parserTokenLimit)
	server.Use(limits{mutations: opts.MaxMutations})
	server.Use(extension.FixedComplexityLimit(complexityLimit))
	server.SetDisableSuggestion(!opts.Introspection)
	if opts.Introspection {
		server.Use(extension.Introspection{})
	} else {
		server.Use(noIntrospection{})
	}
	presenter := newErrorPresenter(schema.Schema(), opts.Logger)
	server.SetErrorPresenter(presenter.present)
	server.SetRecoverFunc(presenter.recovered)
	return server, nil
}
