package clerksvc

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
)

// Rule 3 holds while Clerk fails, too: what an absent account is answered must not differ from what an existing one is
// because one of them took a call that the other did not. Absent accounts therefore make the same call, about an id that
// looks like Clerk's and is nobody's. A decoy is a handle that is about nobody.

// nobodysSignIn returns a sign-in attempt for a user who does not exist.
func nobodysSignIn() *SignInAttempt {
	nobody := &User{}
	nobody.ID = nobodysID("user_")
	return &SignInAttempt{User: nobody, Address: &clerk.EmailAddress{ID: nobodysID("idn_")}}
}

// nobodysReset returns the content of a password reset for a user who does not exist.
func nobodysReset(identifier string) passwordResetHandle {
	return passwordResetHandle{
		Identifier:     identifier,
		UserID:         nobodysID("user_"),
		EmailAddressID: nobodysID("idn_"),
		VerificationID: nobodysID("ver_"),
	}
}

// nobodysVerification returns a code that was not sent.
func (s *Service) nobodysVerification(emailAddressID string) (*SentVerification, error) {
	sent, err := s.sealVerification(emailAddressID, nobodysID("ver_"), time.Time{}, s.now().Add(codeLife))
	if err != nil {
		return nil, err
	}
	sent.decoy = true
	return sent, nil
}

// nobody begins what follows the prefix in ids of nobody's. It is told to Clerk alone, whose logs it explains.
const nobody = "nobody"

func nobodysID(prefix string) string { return prefix + nobody + rand.Text() }

// alike returns the outcome for a call that an existing and an absent account both make, and that fails. That Clerk can't be
// reached, refuses our key or has had enough is told, as it is so for both. Any other refusal may be about the one
// account, and is told as the same failure.
func (s *Service) alike(ctx context.Context, err, failure error) error {
	result, clerkErr := s.outcome(ctx, err), asClerkError(err)
	if clerkErr.Uncertain() || clerkErr.Status == http.StatusUnauthorized || clerkErr.Status == http.StatusTooManyRequests {
		return result
	}
	return failure
}
