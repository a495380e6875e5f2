// Package scalar reads and writes the GraphQL scalars that gqlgen's own are too lenient for.
package scalar

import (
	"errors"

	"github.com/99designs/gqlgen/graphql"

	"clerkql/internal/secret"
)

// ErrNotString is the error for an input value that is not a string. It does not repeat the value, which may be a
// password that was sent without quotes.
var ErrNotString = errors.New("must be a string")

// MarshalString writes a String.
func MarshalString(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalString reads a String from a string and from nothing else: numbers and booleans are refused, as the GraphQL
// specification asks (section "String", input coercion).
func UnmarshalString(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", ErrNotString
	}
	return s, nil
}

// MarshalSecret completes the pair that gqlgen asks for. Fields of this type occur in inputs alone, and if one were ever
// written, it would read "[redacted]".
func MarshalSecret(s secret.String) graphql.Marshaler { return graphql.MarshalString(s.String()) }

// UnmarshalSecret reads a String into a value that can't be printed by accident. Null, which a field that must be there is kept from,
// is the empty text.
func UnmarshalSecret(v any) (secret.String, error) {
	if v == nil {
		return secret.String{}, nil
	}
	s, err := UnmarshalString(v)
	return secret.New(s), err
}
