package clerksvc

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"clerkql/internal/secret"
)

// Bounds on what users may send.
const (
	maxEmailBytes       = 254 // RFC 5321, section 4.5.3.1.3, less the angle brackets
	maxNameCharacters   = 100
	maxPasswordBytes    = 4096 // of a password to compare with; a new one has the policy's limits
	codeDigits          = 6
	maxCodeBytesWritten = 32 // with the spaces that people put into codes
	maxBackupCodeBytes  = 72 // what Clerk can have hashed of one
)

// fields checks the fields of one input and collects what is wrong, so that all of it is told at once.
type fields struct{ invalid []InvalidField }

func (f *fields) reject(name string, reason FieldReason) {
	f.invalid = append(f.invalid, InvalidField{Name: name, Reason: reason})
}

// err returns what was collected as an *InvalidInputError, or nil.
func (f *fields) err() error {
	if len(f.invalid) == 0 {
		return nil
	}
	return &InvalidInputError{Fields: f.invalid}
}

// email returns an address in the form in which it is looked up: trimmed and in lower case.
func (f *fields) email(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	switch {
	case value == "":
		f.reject("email", FieldRequired)
	case len(value) > maxEmailBytes:
		f.reject("email", FieldTooLong)
	case hasControl(value):
		f.reject("email", FieldInvalidCharacters)
	case !isAddress(value):
		f.reject("email", FieldInvalidFormat)
	}
	return value
}

// isAddress reports whether value is a bare address, without display name, comment or quotes.
func isAddress(value string) bool {
	parsed, err := mail.ParseAddress(value)
	return err == nil && parsed.Address == value && parsed.Name == "" && !strings.ContainsAny(value, `"<>(),:;\ `)
}

// personName returns a trimmed given or family name. Nil and blank are no name.
func (f *fields) personName(name string, value *string) string {
	if value == nil {
		return ""
	}
	trimmed := strings.TrimSpace(*value)
	switch {
	case utf8.RuneCountInString(trimmed) > maxNameCharacters:
		f.reject(name, FieldTooLong)
	case hasControl(trimmed):
		f.reject(name, FieldInvalidCharacters)
	}
	return trimmed
}

// newPassword checks that a password is there and can be typed again. The policy's rules are not fields' affair.
func (f *fields) newPassword(name string, value secret.String) {
	switch {
	case strings.TrimSpace(value.Reveal()) == "":
		f.reject(name, FieldRequired)
	case hasControl(value.Reveal()):
		f.reject(name, FieldInvalidCharacters)
	}
}

// password checks a password that will only be compared.
func (f *fields) password(name string, value secret.String) {
	switch {
	case strings.TrimSpace(value.Reveal()) == "":
		f.reject(name, FieldRequired)
	case len(value.Reveal()) > maxPasswordBytes:
		f.reject(name, FieldTooLong)
	}
}

// code returns a code without the spaces that people and mail programs put into it.
func (f *fields) code(name string, value secret.String) secret.String {
	if len(value.Reveal()) > maxCodeBytesWritten {
		f.reject(name, FieldTooLong)
		return secret.String{}
	}
	digits := strings.Join(strings.Fields(value.Reveal()), "")
	switch {
	case digits == "":
		f.reject(name, FieldRequired)
	case len(digits) != codeDigits || strings.Trim(digits, "0123456789") != "":
		f.reject(name, FieldInvalidFormat)
	}
	return secret.New(digits)
}

// backupCode returns a backup code without the spaces that people put into it. What else it may look like, Clerk knows.
func (f *fields) backupCode(name string, value secret.String) secret.String {
	trimmed := strings.Join(strings.Fields(value.Reveal()), "")
	switch {
	case trimmed == "":
		f.reject(name, FieldRequired)
	case len(value.Reveal()) > maxBackupCodeBytes:
		f.reject(name, FieldTooLong)
	case hasControl(trimmed):
		f.reject(name, FieldInvalidCharacters)
	}
	return secret.New(trimmed)
}

func hasControl(value string) bool { return strings.ContainsFunc(value, unicode.IsControl) }
