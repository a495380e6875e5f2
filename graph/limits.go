package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

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
	if len(graphql.CollectFields(operation, operation.Operation.SelectionSet, []string{"Mutation"})) <= 1 {
		return nil
	}
	err := &gqlerror.Error{Message: "A request can run one mutation."}
	errcode.Set(err, codeBadRequest)
	return err
}
