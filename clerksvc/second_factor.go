package clerksvc

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"clerkql/internal/secret"
)

// SecondFactor is a step that can finish a sign-in. Its values are those of the enum SecondFactorStrategy in schema.graphqls.
type SecondFactor string

// The second factors that the Backend API can check.
const (
	SecondFactorTOTP       SecondFactor = "TOTP"
	SecondFactorBackupCode SecondFactor = "BACKUP_CODE"
	SecondFactorEmailCode  SecondFactor = "EMAIL_CODE"
)

// secondFactorRequired returns the *SecondFactorRequiredError of an account that has a second factor. A mailed code is not among
// the steps: with it, whoever reads the account's mail could reset the password and then sign in.
func (s *Service) secondFactorRequired(account *User, p proof) error {
	var steps []SecondFactor
	if account.TOTPEnabled {
		steps = append(steps, SecondFactorTOTP)
	}
	if account.TOTPEnabled && account.BackupCodeEnabled { // without TOTP, Clerk checks none (error code totp_disabled)
		steps = append(steps, SecondFactorBackupCode)
	}
	return s.unfinished(account, p, "", steps)
}

// emailCodeRequired returns the *SecondFactorRequiredError of an account that has no second factor, on a new device.
func (s *Service) emailCodeRequired(account *User, p proof) error {
	return s.unfinished(account, p, p.emailAddressID, []SecondFactor{SecondFactorEmailCode})
}

func (s *Service) unfinished(account *User, p proof, emailAddressID string, steps []SecondFactor) error {
	handle, err := s.sealSecondFactor(secondFactorHandle{
		ID:                rand.Text(),
		UserID:            account.ID,
		Identifier:        p.identifier,
		PasswordUpdatedAt: passwordUpdatedAt(account),
		LookedAt:          p.lookedAt.Unix(),
		Steps:             steps,
		EmailAddressID:    emailAddressID,
		ExpiresAt:         s.now().Add(signInLife).Unix(),
	})
	if err != nil {
		return err
	}
	return &SecondFactorRequiredError{SignInID: handle, NextSteps: steps}
}

func (s *Service) sealSecondFactor(signIn secondFactorHandle) (string, error) {
	return s.keys.Seal(purposeSecondFactor, signIn, time.Unix(signIn.ExpiresAt, 0))
}

// PreparedSecondFactor is the success of PrepareSecondFactor.
type PreparedSecondFactor struct {
	SignInID  string
	ExpiresAt time.Time
}

// PrepareSecondFactor mails the code that a sign-in on a new device lacks. One call.
//
// Errors: *InvalidInputError, ErrVerificationExpired, *RateLimitedError, *UnavailableError.
func (s *Service) PrepareSecondFactor(
	ctx context.Context, client Client, signInID string, step SecondFactor,
) (result *PreparedSecondFactor, err error) {
	ctx, audit := s.begin(ctx, "prepare_second_factor", client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, client); err != nil {
		return nil, err
	}
	var signIn secondFactorHandle
	if err := s.open(purposeSecondFactor, "signInId", signInID, &signIn); err != nil {
		return nil, err
	}
	audit.about(signIn.UserID)
	audit.identifier = signIn.Identifier
	if step != SecondFactorEmailCode || !slices.Contains(signIn.Steps, step) {
		return nil, invalidField("strategy", FieldNotAvailable)
	}
	if err := s.secondFactors.check(signIn); err != nil {
		return nil, err
	}
	if err := s.admit(ctx, essential, 1); err != nil {
		return nil, err
	}
	if err := s.limiter.mail(ctx, client, signIn.Identifier); err != nil {
		return nil, err
	}
	prepared, err := s.api.PrepareEmailAddressVerification(ctx, signIn.EmailAddressID)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	signIn.VerificationID = prepared.ID
	handle, err := s.sealSecondFactor(signIn)
	if err != nil {
		return nil, err
	}
	expires := time.Unix(signIn.ExpiresAt, 0).UTC()
	if code := prepared.ExpiresAt(expires); code.Before(expires) {
		expires = code
	}
	return &PreparedSecondFactor{SignInID: handle, ExpiresAt: expires}, nil
}

// AttemptSecondFactorInput is what AttemptSecondFactor needs.
type AttemptSecondFactorInput struct {
	Client   Client
	SignInID string
	Strategy SecondFactor
	Code     secret.String
}

// AttemptSecondFactor checks the second factor of a sign-in and, if it is right, signs in. Three calls, two in ticket
// mode; one more, to look at the account, when that was last done more than 30 seconds ago, and always with a mailed code.
//
// A handle gives one session, and dies of five wrong codes, of age and, where the account is looked at, of a change of the
// password. What fails after the code was accepted costs no new code, as in a password reset: the answer carries a signInId in which
// it is proved.
//
// Errors: *InvalidInputError, *InvalidCodeError, ErrVerificationExpired, *SecondFactorRequiredError, *AccountLockedError,
// ErrAccountBanned, *RateLimitedError, *UnavailableError.
func (s *Service) AttemptSecondFactor(ctx context.Context, in AttemptSecondFactorInput) (signedIn *SignedIn, err error) {
	ctx, audit := s.begin(ctx, "attempt_second_factor", in.Client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, in.Client); err != nil {
		return nil, err
	}
	var f fields
	code := f.secondFactorCode("code", in.Strategy, in.Code)
	if err := f.err(); err != nil {
		return nil, err
	}
	var signIn secondFactorHandle
	if err := s.open(purposeSecondFactor, "signInId", in.SignInID, &signIn); err != nil {
		return nil, err
	}
	audit.about(signIn.UserID)
	audit.identifier = signIn.Identifier
	switch {
	case !slices.Contains(signIn.Steps, in.Strategy):
		return nil, invalidField("strategy", FieldNotAvailable)
	case in.Strategy == SecondFactorEmailCode && signIn.VerificationID == "": // not prepared
		return nil, invalidField("signInId", FieldInvalidHandle)
	}

	if err := s.secondFactors.check(signIn); err != nil {
		return nil, err
	}
	if err := s.admitSignIn(ctx, in.Client); err != nil {
		return nil, err
	}
	if err := s.limiter.secondFactor(ctx, signIn); err != nil {
		return nil, err
	}
	if err := s.secondFactors.begin(signIn); err != nil {
		return nil, err
	}
	signedIn, err = s.attemptSecondFactor(ctx, &signIn, in, code)
	var wrong *InvalidCodeError
	remaining := s.secondFactors.end(signIn, attemptResult{
		wrong: errors.As(err, &wrong), accepted: signIn.Proved, used: err == nil,
	})
	switch {
	case wrong != nil && wrong.AttemptsRemaining != nil:
		remaining = min(remaining, *wrong.AttemptsRemaining) // Clerk counts as well
		fallthrough
	case wrong != nil:
		return nil, &InvalidCodeError{AttemptsRemaining: &remaining}
	case err != nil && signIn.Proved:
		signIn.Resumed++
		return nil, s.resumable(err, func() (string, error) { return s.sealSecondFactor(signIn) })
	}
	return signedIn, err
}

// attemptSecondFactor looks at the account where that is due, checks the code unless that was done, and completes the sign-in.
func (s *Service) attemptSecondFactor(
	ctx context.Context, signIn *secondFactorHandle, in AttemptSecondFactorInput, code secret.String,
) (*SignedIn, error) {
	byMail := in.Strategy == SecondFactorEmailCode
	p := proof{
		client: in.Client, lookedAt: s.now(),
		emailAddressID: signIn.EmailAddressID, identifier: signIn.Identifier,
		secondFactor: !byMail, mailbox: byMail,
	}
	var account *User
	if byMail || signIn.Proved || s.now().Sub(time.Unix(signIn.LookedAt, 0)) >= lookLife {
		var err error
		if account, err = s.lookAgain(ctx, *signIn); err != nil {
			return nil, err
		}
	}
	if !signIn.Proved {
		if err := s.proveSecondFactor(ctx, *signIn, byMail, code); err != nil {
			return nil, s.outcome(ctx, err)
		}
		signIn.Proved = true
	}
	if err := s.limiter.useSignIn(ctx, *signIn); err != nil {
		return nil, err
	}
	if account == nil {
		return s.signIn(ctx, signIn.UserID, signIn.PasswordUpdatedAt, p)
	}
	return s.complete(ctx, account, p)
}

// lookAgain reads the account of an unfinished sign-in, before a code of it is tried. One call. A first factor that has changed
// since is no longer proved.
func (s *Service) lookAgain(ctx context.Context, signIn secondFactorHandle) (*User, error) {
	account, err := s.api.GetUser(ctx, signIn.UserID)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	if err := barred(account); err != nil {
		return nil, err
	}
	if !samePassword(account, signIn.PasswordUpdatedAt) {
		return nil, ErrVerificationExpired
	}
	return account, nil
}

// proveSecondFactor returns nil if the code is right. One call.
func (s *Service) proveSecondFactor(ctx context.Context, signIn secondFactorHandle, byMail bool, code secret.String) error {
	if !byMail {
		return s.api.VerifyTOTP(ctx, signIn.UserID, code)
	}
	err := s.verify(ctx, verificationHandle{EmailAddressID: signIn.EmailAddressID, VerificationID: signIn.VerificationID}, code)
	if hasCode(err, "verification_already_verified") { // the code was used
		return ErrVerificationExpired
	}
	return err
}

// secondFactorCode returns a code in the form that its step has.
func (f *fields) secondFactorCode(name string, step SecondFactor, value secret.String) secret.String {
	if step == SecondFactorBackupCode {
		return f.backupCode(name, value)
	}
	return f.code(name, value)
}
