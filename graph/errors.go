package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"slices"
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
	codeRateLimited         = "RATE_LIMITED"
	codeServiceUnavailable  = "SERVICE_UNAVAILABLE"
	codeInternal            = "INTERNAL_SERVER_ERROR"
	codeKeyInProgress       = "IDEMPOTENCY_KEY_IN_PROGRESS"
	codeKeyReused           = "IDEMPOTENCY_KEY_REUSED"
	// The codes of Apollo's persisted queries, whose clients also go by the messages.
	codePersistedNotFound     = "PERSISTED_QUERY_NOT_FOUND"
	codePersistedNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED"
	// codeTooComplex is gqlgen's. Clients are told codeBadRequest.
	codeTooComplex = "COMPLEXITY_LIMIT_EXCEEDED"
)

// errorPresenter turns every error that leaves the server outside a union into one that is safe to show: with a code and
// the request id, and without anything of the document or its variables, which hold passwords.
type errorPresenter struct {
	log *slog.Logger
	// names are those that the schema has. Any other name in a message came from the client, and may be a password in a
	// place where it does not belong.
	names map[string]bool
}

func newErrorPresenter(schema *ast.Schema, log *slog.Logger) errorPresenter {
	names := map[string]bool{}
	for _, definition := range schema.Types {
		names[definition.Name] = true
		for _, field := range definition.Fields {
			names[field.Name] = true
			for _, argument := range field.Arguments {
				names[argument.Name] = true
			}
		}
		for _, value := range definition.EnumValues {
			names[value.Name] = true
		}
	}
	for name := range schema.Directives {
		names[name] = true
	}
	return errorPresenter{log: log, names: names}
}

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
	case slices.Contains([]string{
		codeBadRequest, codeSessionTokenInvalid, codeRateLimited, codeServiceUnavailable, codeKeyInProgress, codeKeyReused, codePersistedNotFound, codePersistedNotSupported,
	}, code):
		safe.Message = presented.Message
	case code == codeTooComplex:
		code, safe.Message = codeBadRequest, "The document asks for too much at once."
	case code == codeParseFailed:
		safe.Message = "The document is not valid GraphQL."
	case code == codeValidationFailed:
		safe.Message, safe.Path = p.validationMessage(presented), nil
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

// namesOnly reports whether the messages of a validation rule have nothing of the document in them but names, in quotes.
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

// validationMessage returns a validation error's message without the client's own words, where it is known which words these
// are, and a general message where it is not. Where in the document it went wrong, the error's locations tell.
func (p errorPresenter) validationMessage(err *gqlerror.Error) string {
	switch {
	case namesOnly(err.Rule):
		return quoted().ReplaceAllStringFunc(err.Message, func(name string) string {
			// The name of a type can stand in brackets or with an exclamation mark: "[String!]!".
			if p.names[strings.Trim(name, `"[]!`)] {
				return name
			}
			return `"…"`
		})
	case len(err.Path) > 0 && err.Path[0] == ast.PathName("variable") && withoutValue(err.Message):
		return fmt.Sprintf("A variable does not fit the schema: %s %s.", p.variableField(err.Path), err.Message)
	default:
		return "The document or its variables do not fit the schema."
	}
}

// variableField names the field of a variable that an error is about, as far as the schema has it.
func (p errorPresenter) variableField(path ast.Path) string {
	field, ok := path[len(path)-1].(ast.PathName)
	if len(path) < 3 || !ok || !p.names[string(field)] {
		return "it"
	}
	return fmt.Sprintf("its field %q", string(field))
}

func quoted() *regexp.Regexp { return regexp.MustCompile(`"[^"]*"`) }
