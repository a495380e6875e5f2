package clerksvc

import (
	"context"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"clerkql/internal/secret"
)

// SignInAttempt is a sign-in that has begun. Clerk's Backend API has no sign-ins: there are none to create,
// no attempt_password and no attempt_first_factor. These three methods offer that vocabulary on top of the endpoints
// that do exist. They make no session; [Service] does, once all proofs are there.
type SignInAttempt struct {
	User *User
	// Address is the one that identified the user.
	Address *clerk.EmailAddress
}

// CreateSignIn begins a sign-in by finding who has an address. It returns nil when nobody has. One call: GetUserList.
func (a *API) CreateSignIn(ctx context.Context, emailAddress string) (*SignInAttempt, error) {
	found, err := a.FindUserByEmailAddress(ctx, emailAddress)
	if err != nil || found == nil {
		return nil, err
	}
	return &SignInAttempt{User: found, Address: found.Address(emailAddress)}, nil
}

// AttemptPassword returns nil if the password is right. One call: VerifyPassword.
func (a *API) AttemptPassword(ctx context.Context, attempt *SignInAttempt, password secret.String) error {
	return a.VerifyPassword(ctx, attempt.User.ID, password)
}

// AttemptFirstFactor checks a code that was mailed to an address as first factor, in place of a password. The
// answer's Status tells the outcome. One call: AttemptEmailAddressVerification.
func (a *API) AttemptFirstFactor(ctx context.Context, emailAddressID, verificationID string, code secret.String) (*Verification, error) {
	return a.AttemptEmailAddressVerification(ctx, emailAddressID, verificationID, code)
}

// ResetPassword sets a new password and signs the user out everywhere. One call: UpdateUser. Doing it twice has the
// effect of doing it once.
func (a *API) ResetPassword(ctx context.Context, userID string, password secret.String) (*User, error) {
	return a.UpdateUser(ctx, userID, &user.UpdateParams{
		Password:               clerk.String(password.Reveal()),
		SignOutOfOtherSessions: clerk.Bool(true),
	})
}
