// Package secret holds text that must not be printed: passwords, codes, tokens and keys.
//
// A String formats, logs and marshals as "[redacted]" whatever verb, handler or encoder is used, so
// that a secret which ends up in a log line or an error by accident stays secret. The text itself
// comes out through Reveal alone, which makes every use of it easy to find and to review.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String is text that must not be printed. The zero value is the empty text. Strings can't be compared with ==.
type String struct {
	_ [0]func()
	// text is a pointer because fmt calls no methods on the unexported fields of a struct, but prints what it finds there: of
	// a pointer, that is an address.
	text *string
}

// New wraps text.
func New(text string) String { return String{text: &text} }

// Reveal returns the text. Every caller is responsible for where it goes.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format implements [fmt.Formatter], and with it every verb: %v, %+v, %#v, %s, %q, %x.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String implements [fmt.Stringer].
func (s String) String() string { return redacted }

// LogValue implements [slog.LogValuer].
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it encoding/json and encoding/xml.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], for settings.
func (s *String) UnmarshalText(text []byte) error {
	*s = New(string(text))
	return nil
}
