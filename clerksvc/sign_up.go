package clerksvc

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"clerkql/internal/secret"
)

// SignUpInput is what SignUp needs.
type SignUpInput struct {
	Client    Client
	Email     string
	Password  secret.String
	FirstName *string
	LastName  *string
}

// VerificationRequired is the success of SignUp.
type VerificationRequired struct {
	// UserID is empty with StrictSignUp: an address that is somebody's would give none.
	UserID         string
	EmailAddressID string
	SentVerification
	path signUpPath
}

// signUpRounds bounds how often SignUp begins anew when others sign up with the same address at the same time.
const signUpRounds = 3

// signUp is a SignUpInput that has been checked.
type signUp struct {
	email, firstName, lastName string
	password                   secret.String
}

// SignUp creates a user whose address is reserved and unverified, and mails a code to it. Two calls.
//
// Where the address is taken, it looks by whom. A sign-up that was never finished is gone on with if the password is the
// same, and replaced if it is not: whoever began it proved nothing about the address, and its handles die
// with the user (rule 2). An answer of Clerk's that was lost is settled the same way (rule 5).
//
// With StrictSignUp, an address that is somebody's is answered as any other, in as much time, with handles that are about nobody.
//
// Errors: *InvalidInputError, *PasswordRejectedError, ErrEmailTaken, ErrSignUpRestricted, *RateLimitedError,
// *UnavailableError.
func (s *Service) SignUp(ctx context.Context, in SignUpInput) (started *VerificationRequired, err error) {
	ctx, audit := s.begin(ctx, "sign_up", in.Client)
	defer audit.end(ctx, &err)

	if err := s.limiter.client(ctx, in.Client); err != nil {
		return nil, err
	}
	checked, err := checkSignUp(in)
	if err != nil {
		return nil, err
	}
	audit.identifier = s.pseudonyms.Identifier(checked.email)
	if broken := s.policy.violations(in.Password.Reveal(), checked.identifiers()...); len(broken) > 0 {
		return nil, &PasswordRejectedError{Violations: broken}
	}
	if err := s.admit(ctx, deferrable, 2); err != nil {
		return nil, err
	}
	if err := s.limiter.signUp(ctx, in.Client, audit.identifier); err != nil {
		return nil, err
	}
	if s.strictSignUp {
		return s.strictlySignUp(ctx, audit, checked)
	}
	return s.signUp(ctx, audit, checked)
}

// signUp does what SignUp does with an input that has been checked.
func (s *Service) signUp(ctx context.Context, audit *audit, in signUp) (*VerificationRequired, error) {
	account, err := s.claim(ctx, in)
	if account.User != nil {
		audit.about(account.ID)
	}
	if err != nil {
		return nil, s.signUpOutcome(ctx, err)
	}
	address := account.Address(in.email)
	if address == nil {
		return nil, s.outcome(ctx, &ClerkError{Operation: "CreateUser", cause: errUnreadable})
	}
	sent, err := s.sendAlike(ctx, address.ID, account.createdAt)
	if err != nil {
		return nil, s.signUpOutcome(ctx, err)
	}
	audit.decoy = sent.decoy
	handle, err := s.sealEmailAddress(account.User, address.ID, audit.identifier)
	if err != nil {
		return nil, err
	}
	return &VerificationRequired{
		UserID: account.ID, EmailAddressID: handle, SentVerification: *sent, path: account.path,
	}, nil
}

func checkSignUp(in SignUpInput) (signUp, error) {
	var f fields
	checked := signUp{
		email:     f.email(in.Email),
		firstName: f.personName("firstName", in.FirstName),
		lastName:  f.personName("lastName", in.LastName),
		password:  in.Password,
	}
	f.newPassword("password", in.Password)
	if err := f.err(); err != nil {
		return signUp{}, err
	}
	return checked, nil
}

// claimed is the user that a sign-up goes on with.
type claimed struct {
	*User
	createdAt time.Time // or earlier; zero if it was there before
	path      signUpPath
}

// claim returns the unverified user that this sign-up goes on with. With ErrEmailTaken, the user is whose address it is.
func (s *Service) claim(ctx context.Context, in signUp) (claimed, error) {
	for round := 1; ; round++ {
		createdAt := s.now()
		account, err := s.api.CreateUser(ctx, in.params())
		if err == nil {
			if round > 1 {
				return claimed{account, createdAt, signUpReplaced}, nil
			}
			return claimed{account, createdAt, signUpNew}, nil
		}
		if !mayExist(err) {
			return claimed{}, err
		}
		if round == signUpRounds {
			return claimed{}, &UnavailableError{RetryAfter: time.Second, cause: errContended}
		}
		existing, findErr := s.api.FindUserByEmailAddress(ctx, in.email)
		switch {
		case findErr != nil:
			return claimed{}, findErr
		case existing == nil:
			// Nobody has the address now. If it was taken a moment ago, try again; if the answer was lost,
			// Clerk may still be at it, and the user's next try will find out.
			if errors.Is(outcomeOf(asClerkError(err)), ErrEmailTaken) {
				continue
			}
			return claimed{}, err
		case !abandoned(existing) && s.strictSignUp && asClerkError(err).Uncertain():
			return claimed{User: existing}, err // as it is where nobody has the address
		case !abandoned(existing):
			return claimed{User: existing}, ErrEmailTaken
		}
		passwordErr := s.api.VerifyPassword(ctx, existing.ID, in.password)
		switch {
		case passwordErr == nil:
			return s.goOn(ctx, existing, in)
		case hasCode(passwordErr, "resource_not_found"): // somebody else has replaced it
			continue
		case !hasCode(passwordErr, "incorrect_password"):
			return claimed{}, passwordErr
		}
		if deleteErr := s.discard(ctx, existing.ID); deleteErr != nil {
			return claimed{}, deleteErr
		}
	}
}

// errContended: others sign up with the same address at the same time, and each replaces the one before.
var errContended = errors.New("the address is being signed up by others")

// signUpOutcome is outcome for a sign-up, in which a user or address that is gone has been replaced by somebody else's.
func (s *Service) signUpOutcome(ctx context.Context, err error) error {
	if hasCode(err, "resource_not_found") {
		return &UnavailableError{RetryAfter: time.Second, cause: errContended}
	}
	return s.outcome(ctx, err)
}

// discard deletes a sign-up that was never finished. It looks once more right before that: comparing the password took its
// time, and in it the owner may have entered the code.
func (s *Service) discard(ctx context.Context, userID string) error {
	existing, err := s.api.GetUser(ctx, userID)
	if err == nil && !abandoned(existing) {
		return ErrEmailTaken
	}
	if err == nil {
		err = s.api.DeleteUser(ctx, userID)
	}
	if hasCode(err, "resource_not_found") { // somebody else replaces it at the same time
		return nil
	}
	return err
}

// goOn gives the user of a sign-up that is gone on with the names that were entered last.
func (s *Service) goOn(ctx context.Context, account *User, in signUp) (claimed, error) {
	if same(account.FirstName, in.firstName) && same(account.LastName, in.lastName) {
		return claimed{User: account, path: signUpGoesOn}, nil
	}
	renamed, err := s.api.UpdateUser(ctx, account.ID, &user.UpdateParams{
		FirstName: clerk.String(in.firstName),
		LastName:  clerk.String(in.lastName),
	})
	return claimed{User: renamed, path: signUpRenamed}, err
}

func same(stored *string, entered string) bool {
	if stored == nil {
		return entered == ""
	}
	return *stored == entered
}

// pendingSignUp marks a user as begun by us. It says nothing about whether the sign-up was finished: see abandoned.
const pendingSignUp = "clerkql_sign_up"

func (in signUp) params() *CreateUserParams {
	mark := json.RawMessage(`{"` + pendingSignUp + `":true}`)
	params := &CreateUserParams{
		CreateParams: user.CreateParams{
			EmailAddresses:  &[]string{in.email},
			Password:        clerk.String(in.password.Reveal()),
			PrivateMetadata: &mark,
		},
		EmailAddressStatus: []string{"reserved"},
	}
	if in.firstName != "" {
		params.FirstName = clerk.String(in.firstName)
	}
	if in.lastName != "" {
		params.LastName = clerk.String(in.lastName)
	}
	return params
}

// mayExist reports whether a CreateUser that failed leaves a user with the address to look for: somebody else's,
// or the one whose creation was not answered.
func mayExist(err error) bool {
	clerkErr := asClerkError(err)
	return clerkErr.Uncertain() || errors.Is(outcomeOf(clerkErr), ErrEmailTaken)
}

// abandoned reports whether a user is a sign-up of ours that was never finished: marked by us, with nothing but the one
// unverified address and a password, never signed in, and not barred by an administrator. Only such a user may be replaced.
func abandoned(u *User) bool {
	var metadata map[string]any
	if err := json.Unmarshal(u.PrivateMetadata, &metadata); err != nil {
		return false
	}
	return metadata[pendingSignUp] == true &&
		u.hasOneIdentifier() && !verified(u.EmailAddresses[0]) &&
		u.ExternalID == nil && !needsSecondFactor(u) && u.LastSignInAt == nil && barred(u) == nil
}

// asClerkError returns the *ClerkError that every method of API fails with.
func asClerkError(err error) *ClerkError {
	var clerkErr *ClerkError
	if !errors.As(err, &clerkErr) {
		return &ClerkError{cause: err}
	}
	return clerkErr
}
