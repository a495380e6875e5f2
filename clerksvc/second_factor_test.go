package clerksvc_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

const totpSecret = "JBSWY3DPEHPK3PXP"

// halfSignedIn seeds an account with TOTP, signs in with its password, and returns what AttemptSecondFactor needs but the code.
func (c *clocked) halfSignedIn(t *testing.T) (clerkemu.User, clerksvc.AttemptSecondFactorInput) {
	t.Helper()
	user := seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password, TOTPSecret: totpSecret, BackupCodes: []string{"aaaabbbb"}})
	_, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	var required *clerksvc.SecondFactorRequiredError
	if !errors.As(err, &required) {
		t.Fatalf("signIn: %v", err)
	}
	return user, clerksvc.AttemptSecondFactorInput{SignInID: required.SignInID, Strategy: clerksvc.SecondFactorTOTP}
}

// attempt enters what the user's authenticator app shows.
func (c *clocked) attempt(t *testing.T, user clerkemu.User, in clerksvc.AttemptSecondFactorInput) (*clerksvc.SignedIn, error) {
	t.Helper()
	code, err := c.clerk.TOTPCode(user.ID)
	if err != nil {
		t.Fatal(err)
	}
	in.Code = secret.New(code)
	return c.AttemptSecondFactor(t.Context(), in)
}

// TestTheAccountIsLookedAtAgain has something happen between the first factor and the second. After 30 seconds the account is
// looked at again, before the code is tried.
func TestTheAccountIsLookedAtAgain(t *testing.T) {
	for name, row := range map[string]struct {
		happen func(c *clocked, user clerkemu.User) error
		want   func(error) bool
	}{
		"nothing": {
			func(*clocked, clerkemu.User) error { return nil },
			func(err error) bool { return err == nil },
		},
		"a ban": {
			func(c *clocked, user clerkemu.User) error { return c.clerk.SetBanned(user.ID, true) },
			func(err error) bool { return errors.Is(err, clerksvc.ErrAccountBanned) },
		},
		"a lock": {
			func(c *clocked, user clerkemu.User) error { return c.clerk.SetLocked(user.ID, true) },
			func(err error) bool { return errors.As(err, new(*clerksvc.AccountLockedError)) },
		},
		"a directory takes it": {
			func(c *clocked, user clerkemu.User) error { return c.clerk.SetDeprovisioned(user.ID, true) },
			func(err error) bool { return errors.Is(err, clerksvc.ErrAccountBanned) },
		},
		"another password": {
			func(c *clocked, user clerkemu.User) error {
				_, err := newAPI(c.clerk).ResetPassword(c.t.Context(), user.ID, secret.New(newPassword))
				return err
			},
			func(err error) bool { return errors.Is(err, clerksvc.ErrVerificationExpired) },
		},
		"the account is deleted": {
			func(c *clocked, user clerkemu.User) error { return newAPI(c.clerk).DeleteUser(c.t.Context(), user.ID) },
			func(err error) bool { return errors.Is(err, clerksvc.ErrVerificationExpired) },
		},
	} {
		for _, mode := range []clerksvc.SessionMode{clerksvc.ModeSession, clerksvc.ModeTicket} {
			t.Run(name+", "+string(mode)+" mode", func(t *testing.T) {
				c := newClocked(t, mode)
				user, half := c.halfSignedIn(t)
				c.wait(31 * time.Second)
				code, err := c.clerk.TOTPCode(user.ID)
				if err != nil {
					t.Fatal(err)
				}
				half.Code = secret.New(code)
				if err := row.happen(c, user); err != nil {
					t.Fatal(err)
				}
				c.clerk.ResetCalls()
				_, err = c.AttemptSecondFactor(t.Context(), half)
				if !row.want(err) {
					t.Errorf("got %v", err)
				}
				calls := c.operations()
				if calls[0] != "GetUser" || err != nil && slices.Contains(calls, "VerifyTOTP") {
					t.Errorf("these calls: %v", calls)
				}
				if err != nil && (len(c.clerk.Sessions(user.ID)) > 0 || len(c.clerk.SignInTokens(user.ID)) > 0) {
					t.Error("there is a session or a ticket")
				}
			})
		}
	}
}

// TestAnUnfinishedSignInExpires has ten minutes go by, in steps that each make a new handle.
func TestAnUnfinishedSignInExpires(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	user, half := c.halfSignedIn(t)
	c.wait(9 * time.Minute)
	c.inject(t, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultStatus, Status: 500, Times: 1})
	_, err := c.attempt(t, user, half)
	var down *clerksvc.UnavailableError
	if !errors.As(err, &down) || down.SignInID == "" {
		t.Fatalf("got %v", err)
	}
	c.wait(time.Minute)
	half.SignInID = down.SignInID
	if _, err := c.attempt(t, user, half); !errors.Is(err, clerksvc.ErrVerificationExpired) {
		t.Errorf("after ten minutes: %v", err)
	}
}

// TestAProvedSecondFactorIsLookedAtAgain holds that a handle in which everything is proved outlives neither a ban nor a change of
// the password, however fresh it is.
func TestAProvedSecondFactorIsLookedAtAgain(t *testing.T) {
	for name, row := range map[string]struct {
		happen func(c *clocked, user clerkemu.User) error
		want   error
	}{
		"a ban": {func(c *clocked, user clerkemu.User) error { return c.clerk.SetBanned(user.ID, true) }, clerksvc.ErrAccountBanned},
		"another password": {func(c *clocked, user clerkemu.User) error {
			_, err := newAPI(c.clerk).ResetPassword(c.t.Context(), user.ID, secret.New(newPassword))
			return err
		}, clerksvc.ErrVerificationExpired},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, clerksvc.ModeTicket)
			user, half := c.halfSignedIn(t)
			c.inject(t, clerkemu.Fault{Operation: "CreateSignInToken", Kind: clerkemu.FaultStatus, Status: 500, Times: 1})
			_, err := c.attempt(t, user, half)
			var down *clerksvc.UnavailableError
			if !errors.As(err, &down) {
				t.Fatalf("got %v", err)
			}
			if err := row.happen(c, user); err != nil {
				t.Fatal(err)
			}
			half.SignInID = down.SignInID
			if _, err := c.attempt(t, user, half); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if tickets := c.clerk.SignInTokens(user.ID); len(tickets) > 0 {
				t.Errorf("tickets: %v", tickets)
			}
		})
	}
}

// TestClerkHasNoTOTP has Clerk answer that there is nothing to check a code with, as when TOTP was turned off meanwhile: the sign-in
// has to begin again.
func TestClerkHasNoTOTP(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	user, half := c.halfSignedIn(t)
	c.inject(t, clerkemu.Fault{Operation: "VerifyTOTP", Kind: clerkemu.FaultStatus, Status: 400, Code: "totp_disabled", Times: 1})
	if _, err := c.attempt(t, user, half); !errors.Is(err, clerksvc.ErrVerificationExpired) {
		t.Errorf("got %v", err)
	}
}

// TestADeviceIsKnownToOneAccount has two accounts whose passwords were set in the same millisecond.
func TestADeviceIsKnownToOneAccount(t *testing.T) {
	began := time.Now()
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.Now = func() time.Time { return began } })
	checking := newService(t, clerk, func(cfg *clerksvc.Config) { cfg.CheckNewDevices = true })
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password, TOTPSecret: totpSecret, BackupCodes: []string{"aaaabbbb"}})
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	_, err := checking.SignIn(t.Context(), clerksvc.SignInInput{Email: "other@example.com", Password: secret.New(password)})
	var required *clerksvc.SecondFactorRequiredError
	if !errors.As(err, &required) {
		t.Fatal(err)
	}
	other, err := checking.AttemptSecondFactor(t.Context(), clerksvc.AttemptSecondFactorInput{
		SignInID: required.SignInID, Strategy: clerksvc.SecondFactorBackupCode, Code: secret.New("aaaabbbb"),
	})
	if err != nil || other.Device == nil {
		t.Fatalf("%+v, %v", other, err)
	}
	if _, err := checking.SignIn(t.Context(), clerksvc.SignInInput{
		Email: email, Password: secret.New(password), DeviceToken: other.Device.Token,
	}); !errors.As(err, &required) {
		t.Errorf("with somebody else's device token: %v", err)
	}
}

// TestAKnownDeviceIsForgotten has 90 days go by.
func TestAKnownDeviceIsForgotten(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	checking := newService(t, c.clerk, func(cfg *clerksvc.Config) {
		cfg.CheckNewDevices = true
		cfg.Now = func() time.Time { return time.Now().Add(c.ahead) }
	})
	started, err := checking.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	signedUp, err := checking.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: c.code(),
	})
	if err != nil || signedUp.Device == nil {
		t.Fatalf("%+v, %v", signedUp, err)
	}
	in := clerksvc.SignInInput{Email: email, Password: secret.New(password), DeviceToken: signedUp.Device.Token}
	c.wait(90*24*time.Hour - time.Minute)
	if _, err := checking.SignIn(t.Context(), in); err != nil {
		t.Errorf("within 90 days: %v", err)
	}
	c.wait(time.Minute)
	if _, err := checking.SignIn(t.Context(), in); !errors.As(err, new(*clerksvc.SecondFactorRequiredError)) {
		t.Errorf("after 90 days: %v", err)
	}
}
