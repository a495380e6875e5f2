package clerksvc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clerksdk "github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/emailaddress"
	"github.com/clerk/clerk-sdk-go/v2/user"
	"github.com/pquerna/otp/totp"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// TestEveryEndpoint calls every method of API once, and holds that it is one call to the operation that its comment names.
func TestEveryEndpoint(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	ctx := t.Context()
	// call runs one method and checks that it was one call to an operation.
	call := func(operation string, method func() error) {
		t.Helper()
		clerk.ResetCalls()
		if err := method(); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		if calls := clerk.Calls(); len(calls) != 1 || calls[0].Operation != operation {
			t.Errorf("%s made these calls: %v", operation, calls)
		}
	}

	var account *clerksvc.User
	call("CreateUser", func() (err error) {
		params := &clerksvc.CreateUserParams{EmailAddressStatus: []string{"reserved"}}
		params.EmailAddresses, params.Password, params.TOTPSecret = &[]string{email}, clerksdk.String(password), clerksdk.String(totpSecret)
		account, err = api.CreateUser(ctx, params)
		return err
	})
	first := account.Address(strings.ToUpper(email))
	if first == nil || first.Verification != nil || !first.Reserved || account.AddressByID(first.ID) != first {
		t.Fatalf("the address of a reserved user is %+v", first)
	}
	call("GetUser", func() error { _, err := api.GetUser(ctx, account.ID); return err })
	call("GetUserList", func() error {
		found, err := api.FindUserByEmailAddress(ctx, email)
		if err == nil && (found == nil || found.ID != account.ID) {
			return fmt.Errorf("found %+v", found)
		}
		return err
	})
	call("GetUserList", func() error {
		found, err := api.FindUserByEmailAddress(ctx, "nobody@example.com")
		if found != nil {
			return fmt.Errorf("found %+v", found)
		}
		return err
	})
	call("UpdateUser", func() error {
		updated, err := api.UpdateUser(ctx, account.ID, &user.UpdateParams{FirstName: clerksdk.String("Ada")})
		if err == nil && *updated.FirstName != "Ada" {
			return fmt.Errorf("the name is %q", *updated.FirstName)
		}
		return err
	})
	call("UpdateUser", func() error { return api.EnableTOTP(ctx, account.ID, secret.New(totpSecret)) })
	call("VerifyPassword", func() error { return api.VerifyPassword(ctx, account.ID, secret.New(password)) })
	call("VerifyTOTP", func() error {
		code, err := totp.GenerateCode(totpSecret, time.Now())
		if err != nil {
			return err
		}
		return api.VerifyTOTP(ctx, account.ID, secret.New(code))
	})

	var second *clerksdk.EmailAddress
	call("CreateEmailAddress", func() (err error) {
		second, err = api.CreateEmailAddress(ctx, &emailaddress.CreateParams{
			UserID: clerksdk.String(account.ID), EmailAddress: clerksdk.String("lovelace@example.com"),
		})
		return err
	})
	call("GetEmailAddress", func() error { _, err := api.GetEmailAddress(ctx, second.ID); return err })
	call("UpdateEmailAddress", func() error {
		_, err := api.UpdateEmailAddress(ctx, second.ID, &emailaddress.UpdateParams{Verified: clerksdk.Bool(true)})
		return err
	})
	call("DeleteEmailAddress", func() error { return api.DeleteEmailAddress(ctx, second.ID) })

	var prepared *clerksvc.Verification
	call("PrepareEmailAddressVerification", func() (err error) {
		prepared, err = api.PrepareEmailAddressVerification(ctx, first.ID)
		return err
	})
	call("AttemptEmailAddressVerification", func() error {
		attempted, err := api.AttemptEmailAddressVerification(ctx, first.ID, prepared.ID, secret.New(clerk.Mail(email)[0].Code))
		if err == nil && attempted.Status != clerksvc.StatusVerified {
			return fmt.Errorf("status %q", attempted.Status)
		}
		return err
	})

	var attempt *clerksvc.SignInAttempt
	call("GetUserList", func() (err error) { attempt, err = api.CreateSignIn(ctx, email); return err })
	call("VerifyPassword", func() error { return api.AttemptPassword(ctx, attempt, secret.New(password)) })
	call("UpdateUser", func() error {
		_, err := api.ResetPassword(ctx, account.ID, secret.New("analytical engine"))
		return err
	})

	var session *clerksdk.Session
	call("createSession", func() (err error) { session, err = api.CreateSession(ctx, account.ID); return err })
	call("GetSession", func() error { _, err := api.GetSession(ctx, session.ID); return err })
	call("CreateSessionToken", func() error {
		token, err := api.CreateSessionToken(ctx, session.ID)
		if err == nil && strings.Count(token.Reveal(), ".") != 2 {
			return errors.New("that is no JWT")
		}
		return err
	})
	call("RevokeSession", func() error {
		revoked, err := api.RevokeSession(ctx, session.ID)
		if err == nil && revoked.Status != "revoked" {
			return fmt.Errorf("status %q", revoked.Status)
		}
		return err
	})

	var ticket *clerksvc.SignInToken
	call("CreateSignInToken", func() (err error) { ticket, err = api.CreateSignInToken(ctx, account.ID, time.Minute); return err })
	call("RevokeSignInToken", func() error { return api.RevokeSignInToken(ctx, ticket.ID) })
	call("GetJWKS", func() error {
		keys, err := api.JWKS(ctx)
		if err == nil && len(keys.Keys) != 1 {
			return fmt.Errorf("%d keys", len(keys.Keys))
		}
		return err
	})
	call("GetInstance", func() error {
		instance, err := api.GetInstance(ctx)
		if err == nil && (instance.EnvironmentType != "development" || time.Since(instance.AnsweredAt()).Abs() > time.Minute) {
			return fmt.Errorf("%q, answered at %v", instance.EnvironmentType, instance.AnsweredAt())
		}
		return err
	})
	call("ListDomains", func() error {
		url, err := api.FrontendAPIURL(ctx)
		if err == nil && url != clerk.Issuer() {
			return fmt.Errorf("the issuer is %q", url)
		}
		return err
	})
	call("DeleteUser", func() error { return api.DeleteUser(ctx, account.ID) })
}

// TestIDsCannotLeaveTheirPath holds that nothing but an id gets into a path.
func TestIDsCannotLeaveTheirPath(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	for _, id := range []string{"", "user_", "user_1/../../sessions/sess_1", "user_1?expand=1", "user_1%2f", "user_1#", "../users", "org_1", "user_1\n", "user_" + strings.Repeat("a", 65)} {
		for name, call := range map[string]func() error{
			"GetUser":         func() error { _, err := api.GetUser(t.Context(), id); return err },
			"DeleteUser":      func() error { return api.DeleteUser(t.Context(), id) },
			"RevokeSession":   func() error { _, err := api.RevokeSession(t.Context(), id); return err },
			"GetEmailAddress": func() error { _, err := api.GetEmailAddress(t.Context(), id); return err },
		} {
			if err := call(); err == nil {
				t.Errorf("%s took %q", name, id)
			}
		}
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("calls were made: %v", calls)
	}
}

// TestAnUnverifiedClaimDoesNotWin has two users with one address, of whom one only added it to an account of its own.
func TestAnUnverifiedClaimDoesNotWin(t *testing.T) {
	clerk := clerkemu.RunT(t)
	api := newAPI(clerk)
	squatter := seed(t, clerk, clerkemu.UserSeed{EmailAddress: "squatter@example.com", Password: password})
	if _, err := api.CreateEmailAddress(t.Context(), &emailaddress.CreateParams{
		UserID: clerksdk.String(squatter.ID), EmailAddress: clerksdk.String(email), Verified: clerksdk.Bool(false),
	}); err != nil {
		t.Fatal(err)
	}
	if found, err := api.FindUserByEmailAddress(t.Context(), email); err != nil || found != nil {
		t.Errorf("nobody's address identifies %+v, %v", found, err)
	}
	for _, reserved := range []bool{true, false} {
		owner := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password, Reserved: reserved})
		found, err := api.FindUserByEmailAddress(t.Context(), email)
		if err != nil || found == nil || found.ID != owner.ID {
			t.Errorf("owner reserved=%v: found %+v, %v; want %s", reserved, found, err, owner.ID)
		}
		if err := api.DeleteUser(t.Context(), owner.ID); err != nil {
			t.Fatal(err)
		}
	}
}
