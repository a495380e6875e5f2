package clerksvc

import (
	"strings"
	"unicode/utf8"
)

// PasswordRule is a rule for passwords. Its values are those of the enum PasswordRule in schema.graphqls.
type PasswordRule string

// The rules that Clerk knows. Which of them an instance enforces is set in its dashboard.
//
//nolint:gosec // no credentials, but what they must be like
const (
	PasswordMinLength        PasswordRule = "MIN_LENGTH"
	PasswordMaxLength        PasswordRule = "MAX_LENGTH"
	PasswordMaxBytes         PasswordRule = "MAX_BYTES"
	PasswordUppercase        PasswordRule = "UPPERCASE"
	PasswordLowercase        PasswordRule = "LOWERCASE"
	PasswordDigit            PasswordRule = "DIGIT"
	PasswordSpecialCharacter PasswordRule = "SPECIAL_CHARACTER"
	PasswordStrength         PasswordRule = "STRENGTH"
	PasswordNotLeaked        PasswordRule = "NOT_LEAKED"
	PasswordNotIdentifier    PasswordRule = "NOT_IDENTIFIER"
	PasswordOther            PasswordRule = "OTHER"
)

// PasswordPolicy is what a new password must satisfy. The lengths are checked here, before any call to Clerk.
type PasswordPolicy struct {
	MinLength int // characters
	MaxLength int // characters
	MaxBytes  int // bytes in UTF-8
	// Rules in force that users can be told of, those of length among them.
	Rules []PasswordRule
}

// DefaultPasswordPolicy returns what every Clerk instance asks for: 8 to 72 characters, the 72 bytes that bcrypt
// reads, not leaked, and not the address itself (error codes form_password_*).
func DefaultPasswordPolicy() PasswordPolicy {
	return PasswordPolicy{
		MinLength: 8,
		MaxLength: 72,
		MaxBytes:  72,
		Rules: []PasswordRule{
			PasswordMinLength, PasswordMaxLength, PasswordMaxBytes, PasswordNotLeaked, PasswordNotIdentifier,
		},
	}
}

// violations returns the rules that a new password breaks, as far as they can be checked without Clerk.
func (p PasswordPolicy) violations(password, emailAddress string) []PasswordRule {
	var broken []PasswordRule
	length := utf8.RuneCountInString(password)
	if length < p.MinLength {
		broken = append(broken, PasswordMinLength)
	}
	if length > p.MaxLength {
		broken = append(broken, PasswordMaxLength)
	}
	if len(password) > p.MaxBytes {
		broken = append(broken, PasswordMaxBytes)
	}
	if emailAddress != "" && strings.EqualFold(password, emailAddress) {
		broken = append(broken, PasswordNotIdentifier)
	}
	return broken
}
