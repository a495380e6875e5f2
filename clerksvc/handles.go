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
	purposeRefresh       seal.Purpose = "refresh"
	purposeDevice        seal.Purpose = "device"
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
	// lookLife is how long what was read of an account is taken to be so still, where Clerk asks again whether the user is barred before
	// there is a session.
	lookLife = 30 * time.Second
	// deviceLife is how long a device is known.
	deviceLife = 90 * 24 * time.Hour
)

// emailAddressHandle is what an emailAddressId carries. It is given only to who has just proved the account's
// password, by choosing or by knowing it.
type emailAddressHandle struct {
	UserID         string `json:"u"`
	EmailAddressID string `json:"a"`
	// Identifier is the pseudonym of the address.
	Identifier string `json:"m"`
	// PasswordUpdatedAt is when the password that was proved was set, in Unix milliseconds.
	PasswordUpdatedAt int64 `json:"p"`
}

// verificationHandle is what a verificationId carries.
type verificationHandle struct {
	EmailAddressID string `json:"a"`
	VerificationID string `json:"v"`
	// FreshUntil is set, in Unix seconds, in the first code to an account that was created in the same step, unless sign-ups are strict. Until then
	// Clerk sends no other code to the address, so nothing but this one can have verified it.
	FreshUntil int64 `json:"f,omitempty"`
}

// passwordResetHandle is what the signInId of a password reset carries.
type passwordResetHandle struct {
	UserID         string `json:"u"`
	EmailAddressID string `json:"a"`
	VerificationID string `json:"v"`
	// Identifier is the pseudonym of the address.
	Identifier string `json:"m"`
	// PasswordUpdatedAt is when the password that is to be replaced was set, in Unix milliseconds. A handle
	// whose code is proved sets no password once that has changed, so it does so once.
	PasswordUpdatedAt int64 `json:"p"`
	// ProvedUntil is set, in Unix seconds, when the code was accepted and something after that failed. It is then when the
	// handle ends, however often that happens.
	ProvedUntil int64 `json:"t,omitempty"`
}

// secondFactorHandle is what the signInId of a sign-in carries in which everything but the second factor is proved. Nothing else
// makes one, so to hold it is to have proved the first factor.
type secondFactorHandle struct {
	// ID names the sign-in, however many handles it has had.
	ID     string `json:"i"`
	UserID string `json:"u"`
	// Identifier is the pseudonym of the address that the sign-in began with.
	Identifier string `json:"m"`
	// PasswordUpdatedAt is when the password was set that the account had when the first factor was proved, in Unix
	// milliseconds. Whenever the account is looked at again, the handle dies with that password.
	PasswordUpdatedAt int64 `json:"p"`
	// LookedAt is when the account was read last, in Unix seconds.
	LookedAt int64 `json:"l"`
	// Steps are those that can finish the sign-in.
	Steps []SecondFactor `json:"s"`
	// EmailAddressID is the address that a code for SecondFactorEmailCode goes to.
	EmailAddressID string `json:"a,omitempty"`
	// VerificationID names that code once it was sent.
	VerificationID string `json:"v,omitempty"`
	// ExpiresAt is when the handle ends, in Unix seconds, as do all that follow from it.
	ExpiresAt int64 `json:"e"`
	// Proved is set when the second factor was accepted, and only making the session failed.
	Proved bool `json:"t,omitempty"`
	// Resumed is how often that was so: each of these handles gives one session.
	Resumed int `json:"r,omitempty"`
}

// refreshHandle is what a refreshToken carries.
type refreshHandle struct {
	UserID    string `json:"u"`
	SessionID string `json:"s"`
}

// deviceHandle is what a deviceToken carries.
type deviceHandle struct {
	UserID string `json:"u"`
	// PasswordUpdatedAt is when the password was set that the account had then, in Unix milliseconds.
	PasswordUpdatedAt int64 `json:"p"`
}

// open reads a handle that came in the input field name. A handle that is not for this purpose is invalid input, and one
// that expired an expired verification.
func (s *Service) open(purpose seal.Purpose, name, handle string, into any) error {
	switch err := s.keys.Open(purpose, handle, into); {
	case err == nil:
		return nil
	case errors.Is(err, seal.ErrExpired):
		return ErrVerificationExpired
	default:
		return invalidField(name, FieldInvalidHandle)
	}
}

// resumable puts the handle that seal makes into an outcome after which a flow can be gone on with although its code is used up, and
// returns any other outcome as it is.
func (s *Service) resumable(result error, seal func() (string, error)) error {
	var (
		rejected *PasswordRejectedError
		limited  *RateLimitedError
		down     *UnavailableError
		signInID *string
	)
	switch {
	case errors.As(result, &rejected):
		signInID = &rejected.SignInID
	case errors.As(result, &limited):
		signInID = &limited.SignInID
	case errors.As(result, &down):
		signInID = &down.SignInID
	default:
		return result
	}
	handle, err := seal()
	if err != nil {
		return err
	}
	*signInID = handle
	return result
}
