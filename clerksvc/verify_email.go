package clerksvc

import (
	"cmp"
	"context"
	"errors"
	"time"

	"clerkql/internal/secret"
)

// SentVerification is a code that is on its way.
type SentVerification struct {
	VerificationID string
	ExpiresAt      time.Time
	// decoy: there is none.
	decoy bool
}

// VerifyEmailInput is what VerifyEmail needs.
type VerifyEmailInput struct {
	Client         Client
	EmailAddressID string
	VerificationID string
	Code           secret.String
}

// VerifyEmail checks a code and, if it is right, signs in. Both handles together carry the proof of the password; the
// code proves the address. Three calls in session mode, four unless the account was created less than 30 seconds ago; three in
// ticket mode, four in exchange mode.
//
// An address that is verified already gives no session: the code would then be a sign-in by mail alone, past a password
// that may have changed since and past a second factor (rule 1). The user is therefore looked at first. Session mode
// spares the look while the account is fresh: see verificationHandle.FreshUntil. With StrictSignUp it does not, and a code that is not accepted is
// answered as a decoy's.
//
// A password that an administrator has set meanwhile is not the one that the handles prove.
//
// Errors: *InvalidInputError, *InvalidCodeError, ErrVerificationExpired, ErrAlreadyVerified, *SecondFactorRequiredError,
// *AccountLockedError, ErrAccountBanned, *RateLimitedError, *UnavailableError.
func (s *Service) VerifyEmail(ctx context.Context, in VerifyEmailInput) (signedIn *SignedIn, err error) {
	ctx, audit := s.begin(ctx, "verify_email", in.Client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, in.Client); err != nil {
		return nil, err
	}
	var f fields
	code := f.code("code", in.Code)
	if err := f.err(); err != nil {
		return nil, err
	}
	var address emailAddressHandle
	if err := s.open(purposeEmailAddress, "emailAddressId", in.EmailAddressID, &address); err != nil {
		return nil, err
	}
	audit.about(address.UserID)
	audit.identifier = address.Identifier
	var verification verificationHandle
	if err := s.open(purposeVerification, "verificationId", in.VerificationID, &verification); err != nil {
		return nil, err
	}
	if verification.EmailAddressID != address.EmailAddressID {
		return nil, invalidField("verificationId", FieldInvalidHandle)
	}

	if err := s.admitSignIn(ctx, in.Client); err != nil {
		return nil, err
	}
	if err := s.limiter.code(ctx, in.VerificationID); err != nil {
		return nil, err
	}
	p := proof{
		client: in.Client, lookedAt: s.now(), emailAddressID: address.EmailAddressID, identifier: address.Identifier, mailbox: true,
	}
	began := time.Now()
	account, err := s.proveAddress(ctx, address, verification, code)
	switch {
	case err != nil:
		return nil, s.unproved(ctx, began, err)
	case account == nil: // fresh
		return s.signIn(ctx, address.UserID, address.PasswordUpdatedAt, p)
	default:
		return s.complete(ctx, account, p)
	}
}

// proveAddress returns nil if the code is right and the address was not verified before, and the account, unless it is fresh and was not
// looked at.
func (s *Service) proveAddress(
	ctx context.Context, address emailAddressHandle, verification verificationHandle, code secret.String,
) (*User, error) {
	if s.mode == ModeSession && s.now().Before(time.Unix(verification.FreshUntil, 0)) {
		return nil, s.verify(ctx, verification, code)
	}
	account, err := s.api.GetUser(ctx, address.UserID)
	if s.strictSignUp && hasCode(err, "resource_not_found") { // a decoy's: it fails where a wrong code does
		return nil, cmp.Or(s.verify(ctx, verification, code), ErrVerificationExpired)
	}
	if err != nil {
		return nil, err
	}
	if err := barred(account); err != nil {
		return nil, err
	}
	switch pending := account.AddressByID(address.EmailAddressID); {
	case pending == nil:
		return nil, ErrVerificationExpired
	case verified(pending):
		return nil, ErrAlreadyVerified
	case !samePassword(account, address.PasswordUpdatedAt): // somebody else chose it
		return nil, ErrVerificationExpired
	}
	return account, s.verify(ctx, verification, code)
}

// unproved returns the outcome for an address that was not proved. With StrictSignUp it is that of a decoy, in as much time, but for an address
// that is verified already: that is so only for who proved its password.
func (s *Service) unproved(ctx context.Context, began time.Time, err error) error {
	if !s.strictSignUp {
		return s.outcome(ctx, err)
	}
	if errors.As(err, new(*InvalidCodeError)) {
		s.verifyPace.learn(time.Since(began))
	}
	s.verifyPace.hold(ctx, began)
	switch {
	case errors.As(err, new(*ClerkError)):
		return s.alike(ctx, err, &InvalidCodeError{})
	case errors.Is(err, ErrAlreadyVerified):
		return err
	default:
		return &InvalidCodeError{}
	}
}

// verify returns nil if the code is right. One call.
func (s *Service) verify(ctx context.Context, verification verificationHandle, code secret.String) error {
	attempt, err := s.api.AttemptFirstFactor(ctx, verification.EmailAddressID, verification.VerificationID, code)
	if err != nil {
		return err
	}
	switch attempt.Status {
	case StatusVerified:
		return nil
	case StatusUnverified:
		return &InvalidCodeError{AttemptsRemaining: s.attemptsRemaining(attempt.Attempts)}
	default:
		return ErrVerificationExpired
	}
}

func (s *Service) attemptsRemaining(made *int) *int {
	if s.codeAttempts == 0 || made == nil {
		return nil
	}
	remaining := max(s.codeAttempts-*made, 0)
	return &remaining
}

// ResendVerification mails another code to an address that is not verified yet. Two calls.
//
// Errors: *InvalidInputError, ErrAlreadyVerified, ErrVerificationExpired, *RateLimitedError, *UnavailableError.
func (s *Service) ResendVerification(ctx context.Context, client Client, emailAddressID string) (sent *SentVerification, err error) {
	ctx, audit := s.begin(ctx, "resend_verification", client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, client); err != nil {
		return nil, err
	}
	var handle emailAddressHandle
	if err := s.open(purposeEmailAddress, "emailAddressId", emailAddressID, &handle); err != nil {
		return nil, err
	}
	audit.about(handle.UserID)
	audit.identifier = handle.Identifier
	if err := s.admit(ctx, deferrable, 2); err != nil {
		return nil, err
	}
	if err := s.limiter.mail(ctx, client, handle.Identifier); err != nil {
		return nil, err
	}
	began := time.Now()
	if s.strictSignUp {
		defer s.resendPace.hold(ctx, began)
	}
	address, err := s.api.GetEmailAddress(ctx, handle.EmailAddressID)
	isDecoy := s.strictSignUp && hasCode(err, "resource_not_found")
	if err != nil && !isDecoy {
		return nil, s.outcome(ctx, err)
	}
	if verified(address) {
		return nil, ErrAlreadyVerified
	}
	sent, err = s.sendAlike(ctx, handle.EmailAddressID, time.Time{})
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	if audit.decoy = sent.decoy; !sent.decoy {
		s.resendPace.learn(time.Since(began))
	}
	return sent, nil
}

// sendAlike is sendVerification, except that with StrictSignUp, what Clerk has against one address is not told: the answer is a decoy.
func (s *Service) sendAlike(ctx context.Context, emailAddressID string, createdAt time.Time) (*SentVerification, error) {
	if s.strictSignUp {
		ctx = unrepeated(ctx)
	}
	sent, err := s.sendVerification(ctx, emailAddressID, createdAt)
	if err == nil || !s.strictSignUp {
		return sent, err
	}
	if !hasCode(err, "verification_code_too_many_requests") {
		if err := s.alike(ctx, err, nil); err != nil {
			return nil, err
		}
	}
	return s.nobodysVerification(emailAddressID)
}

// sendVerification mails a code to an address. One call. createdAt is when the account was created, if it was in this step.
func (s *Service) sendVerification(ctx context.Context, emailAddressID string, createdAt time.Time) (*SentVerification, error) {
	prepared, err := s.api.PrepareEmailAddressVerification(ctx, emailAddressID)
	if err != nil {
		return nil, err
	}
	expires := s.now().Add(codeLife)
	if !s.strictSignUp { // or whatever Clerk says could tell it from a decoy
		expires = prepared.ExpiresAt(expires)
	}
	return s.sealVerification(emailAddressID, prepared.ID, createdAt, expires)
}

func (s *Service) sealVerification(emailAddressID, verificationID string, createdAt, expires time.Time) (*SentVerification, error) {
	content := verificationHandle{EmailAddressID: emailAddressID, VerificationID: verificationID}
	if !createdAt.IsZero() && !s.strictSignUp { // which must not look at some accounts and not at others
		content.FreshUntil = createdAt.Add(freshLife).Unix()
	}
	handle, err := s.keys.Seal(purposeVerification, content, expires)
	if err != nil {
		return nil, err
	}
	return &SentVerification{VerificationID: handle, ExpiresAt: expires}, nil
}

func (s *Service) sealEmailAddress(account *User, emailAddressID, identifier string) (string, error) {
	return s.keys.Seal(purposeEmailAddress, emailAddressHandle{
		UserID:            account.ID,
		EmailAddressID:    emailAddressID,
		Identifier:        identifier,
		PasswordUpdatedAt: passwordUpdatedAt(account),
	}, s.now().Add(emailAddressLife))
}
