package clerksvc_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestAnUnfinishedSignUpCannotBeReset has an attacker sign up with an address first, and its owner ask for a reset. No code
// may be sent: were it accepted and the new password refused, the account would be verified with the attacker's password.
func TestAnUnfinishedSignUpCannotBeReset(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	if _, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New("chosen by an attacker")}); err != nil {
		t.Fatal(err)
	}
	c.wait(time.Minute)
	mails := len(c.clerk.Mail(email))
	handle, err := c.RequestPasswordReset(t.Context(), clerksvc.Client{}, email)
	if err != nil || len(c.clerk.Mail(email)) != mails {
		t.Errorf("a code was sent, or it is told that none was: %v", err)
	}
	_, err = c.ResetPassword(t.Context(), clerksvc.ResetPasswordInput{
		SignInID: handle, Code: secret.New("123456"), NewPassword: secret.New(newPassword),
	})
	if !errors.As(err, new(*clerksvc.InvalidCodeError)) {
		t.Errorf("the handle is not a decoy: %v", err)
	}
	if _, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(newPassword)}); err != nil {
		t.Errorf("the owner can't sign up: %v", err)
	}
}

// TestResetsFailAlike is the same for requestPasswordReset, where Clerk fails to send, and for resetPassword.
func TestResetsFailAlike(t *testing.T) {
	for _, fault := range []clerkemu.Fault{
		{Status: 500},
		{Status: 429, RetryAfter: 3 * time.Second},
		{Status: 400, Code: "dev_monthly_email_limit_exceeded"},
		{Status: 403, Code: "user_banned"},
		{Status: 400, Code: "verification_expired"},
		{Status: 400, Code: "identification_claimed"},
		{Status: 404, Code: "resource_not_found"},
	} {
		t.Run(fmt.Sprintf("%d %s", fault.Status, fault.Code), func(t *testing.T) {
			c := newClocked(t, clerksvc.ModeSession)
			seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
			fault.Kind, fault.Operation, fault.Times = clerkemu.FaultStatus, "PrepareEmailAddressVerification", 1
			c.inject(t, fault)
			if _, err := c.RequestPasswordReset(t.Context(), clerksvc.Client{}, email); err != nil {
				t.Errorf("a code that could not be sent is told: %v", err)
			}
			c.clerk.ClearFaults()

			absent, err := c.RequestPasswordReset(t.Context(), clerksvc.Client{}, "absent@example.com")
			if err != nil {
				t.Fatal(err)
			}
			existing := c.requestReset(t, newPassword)
			fault.Operation = "AttemptEmailAddressVerification"
			var answers []string
			for _, handle := range []string{existing.SignInID, absent} {
				c.inject(t, fault)
				existing.SignInID = handle
				_, err := c.ResetPassword(t.Context(), existing)
				answers = append(answers, fmt.Sprintf("%T %v", err, err))
			}
			if answers[0] != answers[1] {
				t.Errorf("existing %s, absent %s", answers[0], answers[1])
			}
		})
	}
}

// TestTwoResetsUnderWay has the second of two resets done first. The code of the first is accepted, its password refused: it
// can be gone on with all the same, and once.
func TestTwoResetsUnderWay(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	first := c.requestReset(t, "correcthorsebatterystaple") // leaked
	second := c.requestReset(t, newPassword)
	if _, err := c.ResetPassword(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	var rejected *clerksvc.PasswordRejectedError
	if _, err := c.ResetPassword(t.Context(), first); !errors.As(err, &rejected) {
		t.Fatalf("a leaked password: %v", err)
	}
	first.SignInID, first.NewPassword = rejected.SignInID, secret.New("a third password")
	if _, err := c.ResetPassword(t.Context(), first); err != nil {
		t.Errorf("going on: %v", err)
	}
	first.NewPassword = secret.New("a fourth password")
	if _, err := c.ResetPassword(t.Context(), first); !errors.Is(err, clerksvc.ErrVerificationExpired) {
		t.Errorf("going on twice: %v", err)
	}
}

// TestHandlesOfResetsEndTogether holds that a decoy ends when any other handle does, and that refused passwords do not put off
// the end of a reset whose code is proved.
func TestHandlesOfResetsEndTogether(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	wrong := c.requestReset(t, newPassword)
	wrong.Code = secret.New("000000")
	if c.code().Reveal() == wrong.Code.Reveal() {
		wrong.Code = secret.New("000001")
	}
	decoy := wrong
	var err error
	if decoy.SignInID, err = c.RequestPasswordReset(t.Context(), clerksvc.Client{}, "absent@example.com"); err != nil {
		t.Fatal(err)
	}
	proved := c.requestReset(t, "password123")
	refuse := func() {
		t.Helper()
		var rejected *clerksvc.PasswordRejectedError
		if _, err := c.ResetPassword(t.Context(), proved); !errors.As(err, &rejected) {
			t.Fatalf("a leaked password: %v", err)
		}
		proved.SignInID = rejected.SignInID
	}
	refuse()

	c.wait(10*time.Minute - 2*time.Second)
	for name, in := range map[string]clerksvc.ResetPasswordInput{"handle": wrong, "decoy": decoy} {
		if _, err := c.ResetPassword(t.Context(), in); !errors.As(err, new(*clerksvc.InvalidCodeError)) {
			t.Errorf("two seconds before its end, the %s gives %v", name, err)
		}
	}
	refuse()
	c.wait(3 * time.Second)
	for name, in := range map[string]clerksvc.ResetPasswordInput{"handle": wrong, "decoy": decoy, "proved handle": proved} {
		if _, err := c.ResetPassword(t.Context(), in); !errors.Is(err, clerksvc.ErrVerificationExpired) {
			t.Errorf("after its end, the %s gives %v", name, err)
		}
	}
}
