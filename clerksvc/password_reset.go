package clerksvc

import (
	"context"
	"errors"
	"time"

	"clerkql/internal/secret"
)

// RequestPasswordReset mails a code to an address if somebody has it, and returns the signInId that goes with the code.
// Two calls. Otherwise the signInId is a decoy that fails like a wrong code (rule 3): for an address that nobody has, and
// whenever no code was sent, be it because Clerk failed, since only an existing account gets that far. All of these take alike long.
//
// An unfinished sign-up gets no code. It would verify the address, and should anything fail before the new password is set,
// the account would be left verified with the password of whoever began the sign-up (rule 2). Its owner signs up again.
//
// Errors: *InvalidInputError, *RateLimitedError, *UnavailableError.
func (s *Service) RequestPasswordReset(ctx context.Context, client Client, emailAddress string) (signInID string, err error) {
	ctx, audit := s.begin(ctx, "request_password_reset", client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, client); err != nil {
		return "", err
	}
	var f fields
	email := f.email(emailAddress)
	if err := f.err(); err != nil {
		return "", err
	}
	audit.identifier = s.pseudonyms.Identifier(email)
	if err := s.admit(ctx, deferrable, 2); err != nil {
		return "", err
	}
	if err := s.limiter.mail(ctx, client, audit.identifier); err != nil {
		return "", err
	}
	// One life for all, whatever Clerk says of the code: a handle's end is something that can be observed.
	began, expires := time.Now(), s.now().Add(signInLife)
	attempt, err := s.api.CreateSignIn(ctx, email)
	if err != nil {
		return "", s.outcome(ctx, err)
	}
	defer s.requestResetPace.hold(ctx, began)
	audit.decoy = true // unless it comes to the end
	if attempt == nil || abandoned(attempt.User) {
		return s.keys.Seal(purposePasswordReset, nobodysReset(audit.identifier), expires)
	}
	audit.about(attempt.User.ID)
	prepared, err := s.api.PrepareEmailAddressVerification(unrepeated(ctx), attempt.Address.ID)
	if err != nil {
		_ = s.outcome(ctx, err) // logs it; the user must not be told
		return s.keys.Seal(purposePasswordReset, nobodysReset(audit.identifier), expires)
	}
	s.requestResetPace.learn(time.Since(began))
	audit.decoy = false
	return s.keys.Seal(purposePasswordReset, passwordResetHandle{
		UserID:            attempt.User.ID,
		EmailAddressID:    attempt.Address.ID,
		VerificationID:    prepared.ID,
		Identifier:        audit.identifier,
		PasswordUpdatedAt: passwordUpdatedAt(attempt.User),
	}, expires)
}

// ResetPasswordInput is what ResetPassword needs.
type ResetPasswordInput struct {
	Client      Client
	SignInID    string
	Code        secret.String
	NewPassword secret.String
}

// ResetPassword sets a new password with the code of a reset, ends all sessions of the account, and signs in. Four
// calls, three in ticket mode.
//
// What fails after the code was accepted costs no new code (rule 4): a new password that Clerk refuses, or a Clerk that
// can't be reached, is answered with a signInId in which the code is proved. A new password that breaks the policy is refused
// before the code is tried. Whose it is, is not known then, so of the policy the user's own name and address are left to Clerk.
//
// Errors: *InvalidInputError, *InvalidCodeError, ErrVerificationExpired, *PasswordRejectedError,
// *SecondFactorRequiredError, *AccountLockedError, ErrAccountBanned, *RateLimitedError, *UnavailableError.
func (s *Service) ResetPassword(ctx context.Context, in ResetPasswordInput) (signedIn *SignedIn, err error) {
	ctx, audit := s.begin(ctx, "reset_password", in.Client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, in.Client); err != nil {
		return nil, err
	}
	var f fields
	code := f.code("code", in.Code)
	f.newPassword("newPassword", in.NewPassword)
	if err := f.err(); err != nil {
		return nil, err
	}
	var reset passwordResetHandle
	if err := s.open(purposePasswordReset, "signInId", in.SignInID, &reset); err != nil {
		return nil, err
	}
	audit.about(reset.UserID)
	audit.identifier = reset.Identifier
	if broken := s.policy.violations(in.NewPassword.Reveal()); len(broken) > 0 {
		return nil, &PasswordRejectedError{Violations: broken, SignInID: in.SignInID}
	}
	if err := s.admitSignIn(ctx, in.Client); err != nil {
		return nil, err
	}
	if err := s.limiter.code(ctx, in.SignInID); err != nil {
		return nil, err
	}
	var account *User
	lookedAt := s.now()
	if reset.ProvedUntil == 0 {
		if err := s.proveReset(ctx, &reset, code); err != nil {
			return nil, err
		}
		account, err = s.api.ResetPassword(ctx, reset.UserID, in.NewPassword)
	} else {
		account, err = s.resumeReset(ctx, reset, in.NewPassword)
	}
	p := proof{
		client: in.Client, lookedAt: lookedAt, emailAddressID: reset.EmailAddressID, identifier: reset.Identifier, mailbox: true,
	}
	return s.completeReset(ctx, p, reset, account, err)
}

// proveReset returns nil if the reset's code is right, and notes it in the handle. One call. Every way in which the code can
// fail is told as a wrong code without a count: a decoy has no other way, as it is about nobody, and fails at Clerk.
func (s *Service) proveReset(ctx context.Context, reset *passwordResetHandle, code secret.String) error {
	began := time.Now()
	attempt, err := s.api.AttemptFirstFactor(ctx, reset.EmailAddressID, reset.VerificationID, code)
	if err != nil {
		s.resetPace.hold(ctx, began)
		return s.alike(ctx, err, &InvalidCodeError{})
	}
	if attempt.Status != StatusVerified {
		s.resetPace.learn(time.Since(began))
		s.resetPace.hold(ctx, began)
		return &InvalidCodeError{}
	}
	reset.ProvedUntil = s.now().Add(signInLife).Unix()
	return nil
}

// resumeReset sets the new password of a reset whose code was accepted before. Two calls. If the password was set since, it
// was by this reset, whose answer was lost, or the reset is used up: the first is so if the password is the new one.
func (s *Service) resumeReset(ctx context.Context, reset passwordResetHandle, newPassword secret.String) (*User, error) {
	account, err := s.api.GetUser(ctx, reset.UserID)
	if err != nil {
		return nil, err
	}
	if passwordUpdatedAt(account) == reset.PasswordUpdatedAt {
		return s.api.ResetPassword(ctx, reset.UserID, newPassword)
	}
	if err := s.api.VerifyPassword(ctx, reset.UserID, newPassword); err != nil {
		return nil, s.alike(ctx, err, ErrVerificationExpired)
	}
	return account, nil
}

// completeReset signs in with an account whose password was reset, or answers for what failed, with a handle to go on with
// where going on is possible.
func (s *Service) completeReset(
	ctx context.Context, p proof, reset passwordResetHandle, account *User, err error,
) (*SignedIn, error) {
	var signedIn *SignedIn
	if err == nil {
		signedIn, err = s.complete(ctx, account, p)
	}
	if err == nil {
		return signedIn, nil
	}
	result := s.outcome(ctx, err)
	var rejected *PasswordRejectedError
	if errors.As(result, &rejected) {
		// Another reset may have changed the password since this one was asked for. Clerk has just changed nothing.
		if current, getErr := s.api.GetUser(ctx, reset.UserID); getErr == nil {
			reset.PasswordUpdatedAt = passwordUpdatedAt(current)
		}
	}
	return nil, s.resumable(result, func() (string, error) {
		return s.keys.Seal(purposePasswordReset, reset, time.Unix(reset.ProvedUntil, 0))
	})
}
