package clerksvc

import (
	"errors"
	"time"

	"clerkql/internal/seal"
)

// Purposes of the handles. A handle of one does not open as another.
const (
	purposeEmailAddress  seal.Purpose = "email_address"
	purposeVerification  seal.Purpose = "verification"
	purposePasswordReset seal.Purpose = "password_reset"
	purposeSecondFactor  seal.Purpose = "second_factor"
)

// Lives of the handles.
const (
	// emailAddressLife is how long an unfinished sign-up can be gone on with.
	emailAddressLife = 24 * time.Hour
	// codeLife is how long a code is taken to be good where Clerk does not say.
	codeLife = 10 * time.Minute
	// signInLife is how long an unfinished sign-in or password reset can be gone on with.
	signInLife = 10 * time.Minute
	// freshLife is how long the account behind a first code is taken to be as it was created. Clerk sends a second code to
	// an address after 30 seconds at the earliest (error code verification_code_too_many_requests).
	freshLife = 30 * time.Second
)

// emailAddressHandle is what an emailAddressId carries. It is given only to who has just proved the account's
// password, by choosing or by knowing it.
type emailAddressHandle struct {
	UserID         string `json:"u"`
	EmailAddressID string `json:"a"`
}

// verificationHandle is what a verificationId carries.
type verificationHandle struct {
	EmailAddressID string `json:"a"`
	VerificationID string `json:"v"`
	// FreshUntil is set, in Unix seconds, in the first code to an account that was created in the same step. Until then
	// Clerk sends no other code to the address, so nothing but this one can have verified it.
	FreshUntil int64 `json:"f,omitempty"`
}

// passwordResetHandle is what the signInId of a password reset carries.
type passwordResetHandle struct {
	UserID         string `json:"u"`
	EmailAddressID string `json:"a"`
	VerificationID string `json:"v"`
	// PasswordUpdatedAt is when the password that is to be replaced was set, in Unix milliseconds. A handle
	// whose code is proved sets no password once that has changed, so it does so once.
	PasswordUpdatedAt int64 `json:"p"`
	// ProvedUntil is set, in Unix seconds, when the code was accepted and something after that failed. It is then when the
	// handle ends, however often that happens.
	ProvedUntil int64 `json:"t,omitempty"`
}

// secondFactorHandle is what the signInId of a sign-in that lacks its second factor carries.
type secondFactorHandle struct {
	UserID string `json:"u"`
}

// open reads a handle that came in the input field name. A handle that is not for this purpose is invalid input; one
// that expired is an expired verification; a decoy fails as a wrong code does.
func (s *Service) open(purpose seal.Purpose, name, handle string, into any) error {
	switch err := s.keys.Open(purpose, handle, into); {
	case err == nil:
		return nil
	case errors.Is(err, seal.ErrExpired):
		return ErrVerificationExpired
	case errors.Is(err, seal.ErrDecoy):
		return &InvalidCodeError{}
	default:
		return &InvalidInputError{Fields: []InvalidField{{Name: name, Reason: FieldInvalidHandle}}}
	}
}
