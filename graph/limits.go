package graph

import (
	"context"

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

// oneMutation refuses a document that runs more than one mutation. Aliases would otherwise try thirty passwords in one
// request, and a long list of mutations would outlast the time that an answer may take.
type oneMutation struct{}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = oneMutation{}

// ExtensionName implements [graphql.HandlerExtension].
func (oneMutation) ExtensionName() string { return "OneMutation" }

// Validate implements [graphql.HandlerExtension].
func (oneMutation) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext implements [graphql.OperationContextMutator]. It counts fields as they will run: after
// aliases, fragments and directives.
func (oneMutation) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if operation.Operation.Operation != ast.Mutation {
		return nil
	}
	mutations := 0
	for _, field := range graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Mutation"}) {
		if field.Name != "__typename" {
			mutations++
		}
	}
	if mutations > 1 {
		return badDocument("A request can run one mutation.")
	}
	return nil
}
