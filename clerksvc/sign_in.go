package clerksvc

import (
	"context"
	"errors"
	"time"

	"clerkql/internal/secret"
)

// SignInInput is what SignIn needs.
type SignInInput struct {
	Client   Client
	Email    string
	Password secret.String
	// DeviceToken is that of an earlier SignedIn, or empty.
	DeviceToken secret.String
}

// SignIn signs in with address and password. Four calls, three in ticket mode.
//
// Unknown address, wrong password and an account without one answer alike (rule 3), take alike long, and so they do while Clerk
// fails: for an unknown address, Clerk is asked about the password of nobody. Whether the account is barred, its address
// unverified or a second factor due is told only after the right password.
//
// Errors: *InvalidInputError, ErrInvalidCredentials, *EmailNotVerifiedError, *SecondFactorRequiredError,
// *AccountLockedError, ErrAccountBanned, *RateLimitedError, *UnavailableError.
func (s *Service) SignIn(ctx context.Context, in SignInInput) (signedIn *SignedIn, err error) {
	ctx, audit := s.begin(ctx, "sign_in", in.Client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, in.Client); err != nil {
		return nil, err
	}
	var f fields
	email := f.email(in.Email)
	f.password("password", in.Password)
	if err := f.err(); err != nil {
		return nil, err
	}
	audit.identifier = s.pseudonyms.Identifier(email)

	if err := s.admitSignIn(ctx, in.Client); err != nil {
		return nil, err
	}
	if err := s.limiter.signIn(ctx, in.Client, audit.identifier); err != nil {
		return nil, err
	}
	began, lookedAt := time.Now(), s.now()
	attempt, err := s.api.CreateSignIn(ctx, email)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	exists := attempt != nil
	if !exists {
		attempt = nobodysSignIn()
	}
	audit.about(attempt.User.ID)
	if err := s.api.AttemptPassword(ctx, attempt, in.Password); err != nil {
		if exists && hasCode(err, "incorrect_password") {
			s.signInPace.learn(time.Since(began))
		}
		s.signInPace.hold(ctx, began)
		return nil, s.alike(ctx, err, ErrInvalidCredentials)
	}
	if err := barred(attempt.User); err != nil {
		return nil, err
	}
	if s.strictSignUp && abandoned(attempt.User) { // that there is one tells that the address was free
		s.signInPace.hold(ctx, began)
		return nil, ErrInvalidCredentials
	}
	if !verified(attempt.Address) {
		return nil, s.emailNotVerified(ctx, in.Client, audit.identifier, attempt)
	}
	return s.complete(ctx, attempt.User, proof{
		client:         in.Client,
		lookedAt:       lookedAt,
		identifier:     audit.identifier,
		emailAddressID: attempt.Address.ID,
		knownDevice:    s.knownDevice(in.DeviceToken, attempt.User),
	})
}

// emailNotVerified mails a code to the address and returns the *EmailNotVerifiedError that carries it. A code that was
// sent moments ago is still good, but Clerk does not tell its verification any more: then there is only a time to wait.
func (s *Service) emailNotVerified(ctx context.Context, client Client, identifier string, attempt *SignInAttempt) error {
	handle, err := s.sealEmailAddress(attempt.User, attempt.Address.ID, identifier)
	if err != nil {
		return err
	}
	var limited *RateLimitedError
	if err := s.limiter.mail(ctx, client, identifier); errors.As(err, &limited) {
		return &EmailNotVerifiedError{EmailAddressID: handle, RetryAfter: limited.RetryAfter}
	} else if err != nil {
		return err
	}
	sent, err := s.sendVerification(ctx, attempt.Address.ID, time.Time{})
	if err == nil {
		return &EmailNotVerifiedError{EmailAddressID: handle, Sent: sent}
	}
	result := s.outcome(ctx, err)
	if errors.As(result, &limited) && hasCode(err, "verification_code_too_many_requests") {
		return &EmailNotVerifiedError{EmailAddressID: handle, RetryAfter: limited.RetryAfter}
	}
	return result
}
