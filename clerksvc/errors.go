package clerksvc

import (
	"errors"
	"fmt"
	"time"
)

// The outcomes of a flow that are not its success. A flow returns its success, or one of these as its error; tell
// them apart with errors.As and errors.Is. Each is a member of the flow's union in schema.graphqls. None of their
// texts is meant for users, and none holds a secret or an address.
var (
	// ErrEmailTaken: the address belongs to an account.
	ErrEmailTaken = errors.New("clerksvc: e-mail address taken")
	// ErrSignUpRestricted: the instance's allow-list, block-list or sign-up mode keeps the address out.
	ErrSignUpRestricted = errors.New("clerksvc: sign-up restricted")
	// ErrInvalidCredentials: no account with this address and password.
	ErrInvalidCredentials = errors.New("clerksvc: invalid credentials")
	// ErrVerificationExpired: the code or handle can no longer be used.
	ErrVerificationExpired = errors.New("clerksvc: verification expired")
	// ErrAlreadyVerified: the address is verified.
	ErrAlreadyVerified = errors.New("clerksvc: already verified")
	// ErrAccountBanned: the account is banned or deprovisioned.
	ErrAccountBanned = errors.New("clerksvc: account banned")
	// ErrSessionTokenInvalid: a session token that does not hold, or none.
	ErrSessionTokenInvalid = errors.New("clerksvc: session token invalid")
	// ErrSessionEnded: the session of a refresh token is over.
	ErrSessionEnded = errors.New("clerksvc: session ended")
	// ErrSessionNotFound: the viewer has no session with this id that lives.
	ErrSessionNotFound = errors.New("clerksvc: session not found")
)

// InvalidInputError lists the fields of an input that are not usable.
type InvalidInputError struct{ Fields []InvalidField }

// InvalidField is a field that is not usable.
type InvalidField struct {
	// Name as in schema.graphqls.
	Name   string
	Reason FieldReason
}

// FieldReason is what is wrong with a field. Its values are those of the enum InvalidFieldReason.
type FieldReason string

// What can be wrong with a field.
const (
	FieldRequired          FieldReason = "REQUIRED"
	FieldInvalidFormat     FieldReason = "INVALID_FORMAT"
	FieldInvalidCharacters FieldReason = "INVALID_CHARACTERS"
	FieldTooLong           FieldReason = "TOO_LONG"
	FieldInvalidHandle     FieldReason = "INVALID_HANDLE"
	FieldNotAvailable      FieldReason = "NOT_AVAILABLE"
)

// invalidField is the *InvalidInputError for one field.
func invalidField(name string, reason FieldReason) error {
	return &InvalidInputError{Fields: []InvalidField{{Name: name, Reason: reason}}}
}

func (e *InvalidInputError) Error() string {
	return fmt.Sprintf("clerksvc: invalid input %v", e.Fields)
}

// PasswordRejectedError lists the rules that a new password breaks.
type PasswordRejectedError struct {
	Violations []PasswordRule
	// SignInID is the handle to try the next password with; empty in a sign-up.
	SignInID string
}

func (e *PasswordRejectedError) Error() string {
	return fmt.Sprintf("clerksvc: password rejected %v", e.Violations)
}

// InvalidCodeError is a wrong code.
type InvalidCodeError struct {
	// AttemptsRemaining is nil when it is not known or not told.
	AttemptsRemaining *int
}

func (e *InvalidCodeError) Error() string { return "clerksvc: invalid code" }

// EmailNotVerifiedError is a sign-in whose password is right and whose address is not verified.
type EmailNotVerifiedError struct {
	EmailAddressID string
	// Sent is the code that was sent; nil when Clerk refused to send another so soon.
	Sent *SentVerification
	// RetryAfter is how long to wait before another can be sent, when Sent is nil.
	RetryAfter time.Duration
}

func (e *EmailNotVerifiedError) Error() string { return "clerksvc: e-mail address not verified" }

// SecondFactorRequiredError is a sign-in that lacks nothing but its second factor.
type SecondFactorRequiredError struct {
	SignInID  string
	NextSteps []SecondFactor
}

func (e *SecondFactorRequiredError) Error() string { return "clerksvc: second factor required" }

// AccountLockedError is a locked account.
type AccountLockedError struct {
	// RetryAfter is when the lock ends; nil when it does not end by itself.
	RetryAfter *time.Duration
}

func (e *AccountLockedError) Error() string { return "clerksvc: account locked" }

// RateLimitedError is a request, or a code, too many.
type RateLimitedError struct {
	RetryAfter time.Duration
	// SignInID is the handle to go on with where a code was accepted already; empty elsewhere.
	SignInID string
}

func (e *RateLimitedError) Error() string { return "clerksvc: rate limited" }

// UnavailableError is a Clerk that can't be reached or used.
type UnavailableError struct {
	RetryAfter time.Duration
	// SignInID is the handle to go on with where a code was accepted already; empty elsewhere.
	SignInID string
	cause    error
}

func (e *UnavailableError) Error() string { return fmt.Sprintf("clerksvc: unavailable: %v", e.cause) }

// Unwrap returns what made Clerk unavailable.
func (e *UnavailableError) Unwrap() error { return e.cause }
