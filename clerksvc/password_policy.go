package clerksvc

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
)

// PasswordRule is a rule for passwords. Its values are those of the enum PasswordRule in schema.graphqls.
type PasswordRule string

// The rules that are Clerk's or ours. Which of Clerk's an instance enforces is set in its dashboard.
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
	PasswordForbiddenWord    PasswordRule = "FORBIDDEN_WORD"
	PasswordOther            PasswordRule = "OTHER"
)

// minForbiddenCharacters is the length from which a name or local part is looked for in passwords. Shorter ones are part of too
// many words.
const minForbiddenCharacters = 4

// judgedCharacters is how much of a password its strength is judged by. The time that takes grows with the ways to read
// digits and signs as letters: a password of 72 characters can take a fifth of a second, one of 16 a few milliseconds.
const judgedCharacters = 16

// PasswordPolicy is what a new password must satisfy, as far as it is checked here, before any call to Clerk.
type PasswordPolicy struct {
	MinLength int // characters
	MaxLength int // characters
	MaxBytes  int // bytes in UTF-8
	// MinStrength is the least score of zxcvbn's, from 0, which every password has, to 4.
	MinStrength int
	// ForbiddenWords are in no password, in capitals or not.
	ForbiddenWords []string
}

// DefaultPasswordPolicy returns what every Clerk instance asks for: 8 to 72 characters, in the 72 bytes that bcrypt
// reads; and a strength of 2, which leaves out what a million guesses find.
func DefaultPasswordPolicy() PasswordPolicy {
	return PasswordPolicy{MinLength: 8, MaxLength: 72, MaxBytes: 72, MinStrength: 2}
}

// Rules returns the rules in force that users can be told of. Every Clerk instance checks that a password is not leaked.
func (p PasswordPolicy) Rules() []PasswordRule {
	rules := []PasswordRule{
		PasswordMinLength, PasswordMaxLength, PasswordMaxBytes, PasswordNotLeaked, PasswordNotIdentifier,
	}
	if p.MinStrength > 0 {
		rules = append(rules, PasswordStrength)
	}
	if len(p.ForbiddenWords) > 0 {
		rules = append(rules, PasswordForbiddenWord)
	}
	return rules
}

// violations returns all rules that a new password breaks, as far as they can be checked without Clerk. The identifiers are
// what it must not have in it of its user: none where the user is not known.
func (p PasswordPolicy) violations(password string, identifiers ...string) []PasswordRule {
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
	if strength(password) < p.MinStrength {
		broken = append(broken, PasswordStrength)
	}
	if containsAny(password, p.ForbiddenWords) {
		broken = append(broken, PasswordForbiddenWord)
	}
	if containsAny(password, identifiers) {
		broken = append(broken, PasswordNotIdentifier)
	}
	return broken
}

// strength returns zxcvbn's score of the beginning of a password. What follows makes a password no easier to guess.
func strength(password string) int {
	characters := 0
	for end := range password {
		if characters == judgedCharacters {
			password = password[:end]
			break
		}
		characters++
	}
	return zxcvbn.PasswordStrength(password, nil).Score
}

// containsAny reports whether one of the words is in a password, in capitals or not.
func containsAny(password string, words []string) bool {
	lower := strings.ToLower(password)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(lower, strings.ToLower(word)) })
}

// identifiers returns what a password must not have in it of the user who signs up: the address, and what comes before
// its @; the names, and each of their words. What is too short to be looked for is left out.
func (in signUp) identifiers() []string {
	local, _, _ := strings.Cut(in.email, "@")
	all := []string{in.email, local, in.firstName, in.lastName}
	all = append(all, strings.Fields(in.firstName+" "+in.lastName)...)
	return slices.DeleteFunc(all, func(text string) bool { return utf8.RuneCountInString(text) < minForbiddenCharacters })
}
