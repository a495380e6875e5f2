package clerksvc

import (
	"context"
	"errors"
	"time"
)

// strictlySignUp is signUp, except that it does not tell whether the address is somebody's.
func (s *Service) strictlySignUp(ctx context.Context, audit *audit, in signUp) (*VerificationRequired, error) {
	began := time.Now()
	for _, pace := range s.signUpPaces {
		defer pace.hold(ctx, began)
	}
	started, err := s.signUp(ctx, audit, in)
	switch {
	case errors.Is(err, ErrEmailTaken):
		audit.decoy = true
		return s.nobodysSignUp(audit.identifier)
	case err != nil:
		return nil, err
	}
	s.signUpPaces[started.path].learn(time.Since(began))
	started.UserID = ""
	return started, nil
}

// signUpPath is how a sign-up came to its user. Each takes other calls, and who asks can bring about each, by signing up twice. So each
// has a pace of its own: among more frequent ones, it would not be learned from.
type signUpPath int

const (
	signUpNew signUpPath = iota
	signUpGoesOn
	signUpRenamed
	signUpReplaced
	signUpPaths
)

func newSignUpPaces(least time.Duration) []*pace {
	paces := make([]*pace, signUpPaths)
	for path := range paces {
		paces[path] = newPace(least)
	}
	return paces
}

// nobodysSignUp returns what a sign-up of a user who does not exist is answered.
func (s *Service) nobodysSignUp(identifier string) (*VerificationRequired, error) {
	account, emailAddressID := &User{}, nobodysID("idn_")
	account.ID = nobodysID("user_")
	sent, err := s.nobodysVerification(emailAddressID)
	if err != nil {
		return nil, err
	}
	handle, err := s.sealEmailAddress(account, emailAddressID, identifier)
	if err != nil {
		return nil, err
	}
	return &VerificationRequired{EmailAddressID: handle, SentVerification: *sent}, nil
}
