package graph

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// noIntrospection refuses to tell the schema. gqlgen refuses by itself, but as if something had gone wrong.
type noIntrospection struct{}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = noIntrospection{}

// ExtensionName implements [graphql.HandlerExtension].
func (noIntrospection) ExtensionName() string { return "NoIntrospection" }

// Validate implements [graphql.HandlerExtension].
func (noIntrospection) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements [graphql.OperationContextMutator].
func (noIntrospection) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Query"}) {
		if field.Name == "__schema" || field.Name == "__type" {
			return badDocument("Introspection is off. The schema is published with the source.")
		}
	}
	return nil
}

func badDocument(message string) *gqlerror.Error {
	err := &gqlerror.Error{Message: message}
	errcode.Set(err, codeBadRequest)
	return err
}

// What a document may have. Fragments count wherever they are spread.
const (
	// maxDepth is how deep fields may be nested. The introspection query of common tools takes 15, the rest of the schema 4.
	maxDepth = 15
	// maxSelections bounds the fields and fragments: with fragments that spread others twice, a document of a thousand tokens has
	// more of them than anything could count one by one.
	maxSelections = 500
	// maxAliases is how many fields may be renamed.
	maxAliases = 15
	// maxDirectives is how many directives there may be.
	maxDirectives = 15
	// maxRootFields is how many fields of Query may run at once.
	maxRootFields = 10
)

// limits refuses a document that is larger than any client has a use for. It has to come before gqlgen's own limit, which walks
// through every fragment as often as it is spread.
type limits struct {
	// mutations is how many a request may run. Aliases would otherwise try thirty passwords in one request, and a long list of
	// mutations would outlast the time that an answer may take.
	mutations int
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = limits{}

// ExtensionName implements [graphql.HandlerExtension].
func (limits) ExtensionName() string { return "Limits" }

// Validate implements [graphql.HandlerExtension].
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements [graphql.OperationContextMutator].
func (l limits) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	size := measurer{}.measure(operation.Operation.SelectionSet)
	size.directives += len(operation.Operation.Directives)
	switch {
	case size.depth > maxDepth:
		return badDocument(fmt.Sprintf("Fields can be nested %d deep at most.", maxDepth))
	case size.selections > maxSelections:
		return badDocument(fmt.Sprintf("A document can select %d fields and fragments at most.", maxSelections))
	case size.aliases > maxAliases:
		return badDocument(fmt.Sprintf("A document can have %d aliases at most.", maxAliases))
	case size.directives > maxDirectives:
		return badDocument(fmt.Sprintf("A document can have %d directives at most.", maxDirectives))
	}
	return l.rootFields(operation)
}

func (l limits) rootFields(operation *graphql.OperationContext) *gqlerror.Error {
	mutation := operation.Operation.Operation == ast.Mutation
	fields := countRootFields(operation)
	switch {
	case mutation && fields > l.mutations:
		return badDocument(fmt.Sprintf("A request can run %d mutation(s) at most.", l.mutations))
	case !mutation && fields > maxRootFields:
		return badDocument(fmt.Sprintf("A query can have %d fields at most.", maxRootFields))
	}
	return nil
}

// countRootFields counts fields as they will run: after aliases, fragments and directives. __typename is no mutation.
func countRootFields(operation *graphql.OperationContext) int {
	fields := 0
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Query", "Mutation"}) {
		if field.Name != "__typename" || operation.Operation.Operation != ast.Mutation {
			fields++
		}
	}
	return fields
}

// size is how much there is of a selection set, fragments included.
type size struct{ depth, selections, aliases, directives int }

// plus adds one selection: itself, and what it selects in turn.
func (s size) plus(inner size, directives ast.DirectiveList) size {
	const enough = 1 << 20 // Sums stay far from what an int holds.
	return size{
		depth:      max(s.depth, inner.depth),
		selections: min(s.selections+inner.selections+1, enough),
		aliases:    min(s.aliases+inner.aliases, enough),
		directives: min(s.directives+inner.directives+len(directives), enough),
	}
}

// measurer has the sizes of fragments, so that each is measured once. Validation has made sure that none spreads itself.
type measurer map[*ast.FragmentDefinition]size

func (m measurer) measure(set ast.SelectionSet) size {
	var sum size
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			inner := m.measure(s.SelectionSet)
			inner.depth++
			if s.Alias != s.Name {
				inner.aliases++
			}
			sum = sum.plus(inner, s.Directives)
		case *ast.InlineFragment:
			sum = sum.plus(m.measure(s.SelectionSet), s.Directives)
		case *ast.FragmentSpread:
			inner, measured := m[s.Definition]
			if !measured {
				inner = m.measure(s.Definition.SelectionSet)
				m[s.Definition] = inner
			}
			sum = sum.plus(inner, s.Directives)
		}
	}
	return sum
}
