package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/pquerna/otp/totp"

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// secondFactor gives the user TOTP, and has Clerk check codes. In session mode exchange, the user then signs in once more: the
// flows check the second factor before they make a ticket, and count on Clerk not to ask for it again.
func (e *examination) secondFactor(ctx context.Context) finding {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "clerkql doctor", AccountName: "doctor"})
	if err != nil {
		return fail(err.Error(), fixAgain)
	}
	if err := e.API.EnableTOTP(ctx, e.userID, secret.New(key.Secret())); err != nil {
		if uncertain(err) {
			return explain(err)
		}
		return skip("the user can't have one: " + describe(err))
	}
	code, err := totp.GenerateCode(key.Secret(), time.Now())
	if err != nil {
		return fail(err.Error(), fixAgain)
	}
	if err := e.API.VerifyTOTP(ctx, e.userID, secret.New(code)); err != nil {
		return explain(err)
	}
	switch err := e.API.VerifyTOTP(ctx, e.userID, secret.New(notTheCode)); {
	case err == nil && code != notTheCode:
		return fail("a wrong TOTP code is accepted", "Do not run the API in front of this instance, and ask Clerk's support")
	case err != nil && !hasCode(err, "totp_incorrect_code"):
		return explain(err)
	}
	if e.SessionMode != clerksvc.ModeExchange || !e.signedIn {
		return ok("TOTP codes are checked")
	}
	switch err := e.tryExchange(ctx); {
	case errors.Is(err, clerksvc.ErrSignInIncomplete):
		return fail("exchange: Clerk asks for the second factor again when a ticket is redeemed, so that accounts with one can't sign in",
			"Set SESSION_MODE to ticket, where Clerk's SDK asks the user, or let nobody have a second factor")
	case err != nil:
		return explain(err)
	}
	return ok("TOTP codes are checked, and a ticket of an account with TOTP signs in")
}
