package resolvers

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"time"

	"clerkql/clerksvc"
	"clerkql/graph/model"
	"clerkql/internal/idempotency"
)

// result returns the member of the union U for the end of a flow: success if err is nil, otherwise the member for the
// outcome that err is. An outcome that the union has no member for is logged, and told as ServiceUnavailable. An error
// that is no outcome is a fault, and stays an error. What passes by itself is told as such, so that it is not the answer to the next try too.
func result[U any](ctx context.Context, log *slog.Logger, err error, success func() U) (U, error) {
	if err == nil {
		return success(), nil
	}
	member := memberFor(err)
	if member == nil {
		var none U
		return none, err
	}
	fitting, fits := member.(U)
	if passes(member) || !fits {
		idempotency.Passing(ctx)
	}
	if fits {
		return fitting, nil
	}
	log.ErrorContext(ctx, "outcome without a member", slog.String("outcome", err.Error()))
	return model.UserError(unavailable(&clerksvc.UnavailableError{})).(U), nil
}

// passes reports whether the same request may end otherwise if it is sent again.
func passes(member model.UserError) bool {
	switch member.(type) {
	case model.RateLimited, model.ServiceUnavailable:
		return true
	default:
		return false
	}
}

// memberFor is the one mapping from domain errors to union members. It returns nil for an error that is none.
func memberFor(err error) model.UserError {
	var (
		invalid  *clerksvc.InvalidInputError
		rejected *clerksvc.PasswordRejectedError
		code     *clerksvc.InvalidCodeError
		email    *clerksvc.EmailNotVerifiedError
		factor   *clerksvc.SecondFactorRequiredError
		locked   *clerksvc.AccountLockedError
		limited  *clerksvc.RateLimitedError
		down     *clerksvc.UnavailableError
	)
	switch {
	case errors.As(err, &invalid):
		return invalidInput(invalid)
	case errors.As(err, &rejected):
		return passwordRejected(rejected)
	case errors.As(err, &email):
		return emailNotVerified(email)
	case errors.As(err, &factor):
		return secondFactorRequired(factor)
	case errors.As(err, &code):
		return model.InvalidCode{
			Message:           "That code is not right, or can no longer be used.",
			Code:              model.ErrorCodeInvalidCode,
			AttemptsRemaining: code.AttemptsRemaining,
		}
	case errors.As(err, &locked):
		return model.AccountLocked{
			Message:          "This account is locked.",
			Code:             model.ErrorCodeAccountLocked,
			LockedForSeconds: optionalSeconds(locked.RetryAfter),
		}
	case errors.As(err, &limited):
		return model.RateLimited{
			Message:           "Too many requests. Wait a moment before trying again.",
			Code:              model.ErrorCodeRateLimited,
			RetryAfterSeconds: seconds(limited.RetryAfter),
			ResumeSignInID:    optionalText(limited.SignInID),
		}
	case errors.As(err, &down):
		return unavailable(down)
	}
	return plainMember(err)
}

// plainMember maps the outcomes that carry nothing but themselves.
func plainMember(err error) model.UserError {
	switch {
	case errors.Is(err, clerksvc.ErrEmailTaken):
		return model.EmailTaken{
			Message: "There is an account with this address already.",
			Code:    model.ErrorCodeEmailTaken,
		}
	case errors.Is(err, clerksvc.ErrSignUpRestricted):
		return model.SignUpRestricted{
			Message: "This address can't sign up here.",
			Code:    model.ErrorCodeSignUpRestricted,
		}
	case errors.Is(err, clerksvc.ErrInvalidCredentials):
		return model.InvalidCredentials{
			Message: "Address or password is not right.",
			Code:    model.ErrorCodeInvalidCredentials,
		}
	case errors.Is(err, clerksvc.ErrVerificationExpired):
		return model.VerificationExpired{
			Message: "This can no longer be used. Ask for a new code, or begin again.",
			Code:    model.ErrorCodeVerificationExpired,
		}
	case errors.Is(err, clerksvc.ErrAlreadyVerified):
		return model.AlreadyVerified{
			Message: "This address is verified already. Sign in with your password.",
			Code:    model.ErrorCodeAlreadyVerified,
		}
	case errors.Is(err, clerksvc.ErrAccountBanned):
		return model.AccountBanned{
			Message: "This account may not sign in.",
			Code:    model.ErrorCodeAccountBanned,
		}
	case errors.Is(err, clerksvc.ErrSessionEnded):
		return model.SessionEnded{
			Message: "You are signed out. Sign in again.",
			Code:    model.ErrorCodeSessionEnded,
		}
	case errors.Is(err, clerksvc.ErrSessionTokenInvalid):
		return model.NotSignedIn{
			Message: "You are not signed in, or no longer.",
			Code:    model.ErrorCodeNotSignedIn,
		}
	case errors.Is(err, clerksvc.ErrSessionNotFound):
		return model.SessionNotFound{
			Message: "There is no such session.",
			Code:    model.ErrorCodeSessionNotFound,
		}
	default:
		return nil
	}
}

func unavailable(err *clerksvc.UnavailableError) model.ServiceUnavailable {
	return model.ServiceUnavailable{
		Message:           "This can't be done right now. Try again in a moment.",
		Code:              model.ErrorCodeServiceUnavailable,
		RetryAfterSeconds: seconds(err.RetryAfter),
		ResumeSignInID:    optionalText(err.SignInID),
	}
}

func invalidInput(err *clerksvc.InvalidInputError) model.InvalidInput {
	member := model.InvalidInput{
		Message: "Some of what was entered can't be used.",
		Code:    model.ErrorCodeInvalidInput,
	}
	for _, field := range err.Fields {
		member.Fields = append(member.Fields, model.InvalidField{
			Name:    field.Name,
			Reason:  model.InvalidFieldReason(field.Reason),
			Message: fieldMessage(field.Reason),
		})
	}
	return member
}

func passwordRejected(err *clerksvc.PasswordRejectedError) model.PasswordRejected {
	member := model.PasswordRejected{
		Message:  "This password can't be used. Choose another.",
		Code:     model.ErrorCodePasswordRejected,
		SignInID: optionalText(err.SignInID),
	}
	for _, rule := range err.Violations {
		member.Violations = append(member.Violations, model.PasswordViolation{
			Rule:    model.PasswordRule(rule),
			Message: passwordRuleMessage(rule),
		})
	}
	return member
}

func emailNotVerified(err *clerksvc.EmailNotVerifiedError) model.EmailNotVerified {
	member := model.EmailNotVerified{
		Message:        "The address is not verified yet. Enter the code that was mailed to it.",
		Code:           model.ErrorCodeEmailNotVerified,
		EmailAddressID: err.EmailAddressID,
	}
	if err.Sent != nil {
		member.VerificationID = &err.Sent.VerificationID
		member.CodeExpiresAt = &err.Sent.ExpiresAt
	} else {
		member.ResendAfterSeconds = optionalSeconds(&err.RetryAfter)
	}
	return member
}

func secondFactorRequired(err *clerksvc.SecondFactorRequiredError) model.SecondFactorRequired {
	member := model.SecondFactorRequired{
		Message:   "This account has a second factor. Enter its code.",
		Code:      model.ErrorCodeSecondFactorRequired,
		SignInID:  &err.SignInID,
		NextSteps: []model.SecondFactorStrategy{},
	}
	switch {
	case len(err.NextSteps) == 0:
		member.Message = "This account has a second factor that can't be checked here."
	case slices.Contains(err.NextSteps, clerksvc.SecondFactorEmailCode):
		member.Message = "This device is new here. Have a code mailed to your address, and enter it."
	}
	for _, step := range err.NextSteps {
		member.NextSteps = append(member.NextSteps, model.SecondFactorStrategy(step))
	}
	return member
}

func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// seconds rounds a wait up to whole seconds, at least one.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

func optionalSeconds(d *time.Duration) *int {
	if d == nil {
		return nil
	}
	whole := seconds(*d)
	return &whole
}
