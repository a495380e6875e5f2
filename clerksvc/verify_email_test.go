package clerksvc_test

import (
	"errors"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestTheFirstCodeOfAnAccountIsFreshForAMoment has two codes under way, and the second used first. The first must not sign
// in past the password and the second factor that the account has since (rule 1). Within 30 seconds the account is not looked
// at, and need not be: Clerk sends no second code.
func TestTheFirstCodeOfAnAccountIsFreshForAMoment(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.ResendInterval = 30 * time.Second })
	skipped := time.Duration(0)
	service := newService(t, clerk, func(c *clerksvc.Config) { c.Now = func() time.Time { return time.Now().Add(skipped) } })
	wait := func(d time.Duration) {
		clerk.FastForward(d)
		skipped += d
	}

	started, err := service.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	firstCode := clerk.Mail(email)[0].Code
	var limited *clerksvc.RateLimitedError
	if _, err := service.ResendVerification(t.Context(), clerksvc.Client{}, started.EmailAddressID); !errors.As(err, &limited) {
		t.Fatalf("a second code at once: %v", err)
	}
	wait(31 * time.Second)
	resent, err := service.ResendVerification(t.Context(), clerksvc.Client{}, started.EmailAddressID)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(verificationID, code string) (*clerksvc.SignedIn, error) {
		return service.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
			EmailAddressID: started.EmailAddressID, VerificationID: verificationID, Code: secret.New(code),
		})
	}
	clerk.ResetCalls()
	if _, err := verify(resent.VerificationID, clerk.Mail(email)[0].Code); err != nil {
		t.Fatal(err)
	}
	if calls := clerk.Calls(); len(calls) != 4 || calls[0].Operation != "GetUser" {
		t.Errorf("the later code made these calls: %v", calls)
	}
	before := len(clerk.Sessions(started.UserID))
	if err := clerk.EnableTOTP(started.UserID, "JBSWY3DPEHPK3PXP"); err != nil {
		t.Fatal(err)
	}
	if signedIn, err := verify(started.VerificationID, firstCode); !errors.Is(err, clerksvc.ErrAlreadyVerified) {
		t.Errorf("the first code, after the second: %+v, %v", signedIn, err)
	}
	if after := len(clerk.Sessions(started.UserID)); after != before {
		t.Errorf("%d sessions before, %d after", before, after)
	}
}

// TestAFreshAccountTakesThreeCalls is the other half: the code is entered at once.
func TestAFreshAccountTakesThreeCalls(t *testing.T) {
	clerk := clerkemu.RunT(t)
	service := newService(t, clerk)
	started, err := service.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	clerk.ResetCalls()
	if _, err := service.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: secret.New(clerk.Mail(email)[0].Code),
	}); err != nil {
		t.Fatal(err)
	}
	if calls := clerk.Calls(); len(calls) != 3 {
		t.Errorf("these calls: %v", calls)
	}
}
