// Package secret holds text that must not be printed: passwords, codes, tokens and keys.
//
// A String formats, logs and marshals as "[redacted]" whatever verb, handler or encoder is used, so
// that a secret which ends up in a log line or an error by accident stays secret. The text itself
// comes out through Reveal alone, which makes every use of it easy to find and to review.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String is text that must not be printed. The zero value is the empty text.
type String struct {
	text string
}

// New wraps text.
func New(text string) String { return String{text: text} }

// Reveal returns the text. Every caller is responsible for where it goes.
func (s String) Reveal() string { return s.text }

// Equal reports in constant time whether both hold the same text.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.text), []byte(other.text)) == 1
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
	s.text = string(text)
	return nil
}
