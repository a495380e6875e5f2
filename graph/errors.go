package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"clerkql/graph/scalar"
)

// Codes in extensions.code of the errors that are not union members.
const (
	codeBadRequest          = "BAD_REQUEST"
	codeParseFailed         = errcode.ParseFailed
	codeValidationFailed    = errcode.ValidationFailed
	codeSessionTokenInvalid = "SESSION_TOKEN_INVALID"
	codeServiceUnavailable  = "SERVICE_UNAVAILABLE"
	codeInternal            = "INTERNAL_SERVER_ERROR"
)

// errorPresenter turns every error that leaves the server outside a union into one that is safe to show: with a code and
// the request id, and without anything of the document or its variables, which hold passwords.
type errorPresenter struct{ log *slog.Logger }

// present implements gqlgen's ErrorPresenterFunc. An error without a code that is meant for clients is a fault: it is
// logged, and the client is told nothing but the request id to ask about it with.
func (p errorPresenter) present(ctx context.Context, err error) *gqlerror.Error {
	var presented *gqlerror.Error
	if !errors.As(err, &presented) {
		presented = &gqlerror.Error{Err: err}
	}
	safe := &gqlerror.Error{Path: presented.Path, Locations: presented.Locations}
	code, _ := presented.Extensions["code"].(string)
	switch {
	case code == codeBadRequest, code == codeSessionTokenInvalid, code == codeServiceUnavailable:
		safe.Message = presented.Message
	case code == codeParseFailed:
		safe.Message = "The document is not valid GraphQL."
	case code == codeValidationFailed:
		safe.Message, safe.Path = validationMessage(presented), nil
	case errors.Is(err, scalar.ErrNotString):
		code, safe.Message = codeValidationFailed, "A value that must be a string is not one."
	default:
		code, safe.Message = codeInternal, "Something went wrong on the server."
		p.log.ErrorContext(ctx, "graphql fault", slog.String("error", err.Error()))
	}
	safe.Extensions = map[string]any{"code": code, "requestId": middleware.GetReqID(ctx)}
	return safe
}

// recovered implements gqlgen's RecoverFunc. The value of a panic is not logged, only its type: it may hold anything.
func (p errorPresenter) recovered(ctx context.Context, value any) error {
	p.log.ErrorContext(ctx, "panic in a resolver",
		slog.String("type", fmt.Sprintf("%T", value)),
		slog.String("stack", string(debug.Stack())))
	return errors.New("panic in a resolver")
}

// namesOnly reports whether the messages of a validation rule name types, fields, arguments, fragments and variables, and
// never repeat a value from the document.
func namesOnly(rule string) bool {
	switch rule {
	case "FieldsOnCorrectType",
		"FieldsOnCorrectTypeWithoutSuggestions",
		"FragmentsOnCompositeTypes",
		"KnownArgumentNames",
		"KnownDirectives",
		"KnownFragmentNames",
		"KnownTypeNames",
		"LoneAnonymousOperation",
		"NoUndefinedVariables",
		"NoUnusedFragments",
		"NoUnusedVariables",
		"OverlappingFieldsCanBeMerged",
		"PossibleFragmentSpreads",
		"ProvidedRequiredArguments",
		"ScalarLeafs",
		"ScalarLeafsWithoutSuggestions",
		"UniqueOperationNames",
		"VariablesInAllowedPosition":
		return true
	default:
		return false
	}
}

// withoutValue reports whether what is said of a variable does not repeat its value.
func withoutValue(message string) bool {
	return message == "must be defined" || message == "cannot be null" || message == "unknown field"
}

// validationMessage returns a validation error's message if it is known to hold no value, and a general one if not.
func validationMessage(err *gqlerror.Error) string {
	switch {
	case namesOnly(err.Rule):
		return err.Message
	case len(err.Path) > 0 && err.Path[0] == ast.PathName("variable") && withoutValue(err.Message):
		name := strings.TrimPrefix(err.Path.String(), "variable.")
		return fmt.Sprintf("The variable $%s %s.", name, err.Message)
	default:
		return "The document or its variables do not fit the schema."
	}
}
