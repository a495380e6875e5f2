package doctor

import (
	"context"

	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// testCode is the code of every test address, which Clerk publishes. notTheCode is not it.
const (
	testCode   = "424242"
	notTheCode = "000000"
)

// sendCode has Clerk send a code, as a sign-up does. It sends none to an address that is made up, unless Clerk does not mail it.
func (e *examination) sendCode(ctx context.Context) finding {
	given := e.EmailAddress.Reveal() != ""
	if e.production && !given {
		return skip("a production instance really sends its mails: name an address of yours with --email to have this tried")
	}
	prepared, err := e.API.PrepareEmailAddressVerification(ctx, e.emailAddressID)
	switch {
	case err != nil:
		return explain(err)
	case prepared.ID == "" || prepared.Status != clerksvc.StatusUnverified:
		return fail("the new verification has no id, or is not unverified", fixSupport)
	}
	e.verification = prepared
	if given {
		return ok("Clerk took the mail to the address that you gave")
	}
	return ok("to a test address, which gets no mail")
}

// wrongCode holds Clerk to what the flows rest on: a wrong code is an answer and not an error, and verifies nothing.
func (e *examination) wrongCode(ctx context.Context) finding {
	if e.verification == nil {
		return skip("no code was sent")
	}
	attempted, err := e.attempt(ctx, notTheCode)
	switch {
	case err != nil:
		return explain(err)
	case attempted.Status == clerksvc.StatusVerified:
		return fail("a wrong code is accepted", "Do not run the API in front of this instance, and ask Clerk's support")
	}
	return ok("refused, with status %s", attempted.Status)
}

// rightCode enters the code of test addresses. Whether the instance is in test mode can't be asked.
func (e *examination) rightCode(ctx context.Context) finding {
	switch {
	case e.verification == nil:
		return skip("no code was sent")
	case e.EmailAddress.Reveal() != "":
		return skip("it is in your mail")
	}
	attempted, err := e.attempt(ctx, testCode)
	switch {
	case err != nil:
		return explain(err)
	case attempted.Status == clerksvc.StatusVerified:
		return ok("accepted")
	case attempted.Status == clerksvc.StatusUnverified:
		return skip(`not known: the test code is not taken, so test mode seems to be off (dashboard, Settings page, "Enable test mode")`)
	}
	return fail("the verification is "+attempted.Status+" after one wrong code",
		"Clerk lets a code be tried less often than users need: "+fixSupport)
}

func (e *examination) attempt(ctx context.Context, code string) (*clerksvc.Verification, error) {
	return e.API.AttemptEmailAddressVerification(ctx, e.emailAddressID, e.verification.ID, secret.New(code))
}

func (e *examination) rightPassword(ctx context.Context) finding {
	if err := e.API.VerifyPassword(ctx, e.userID, e.password); err != nil {
		return explain(err)
	}
	return ok("accepted")
}

func (e *examination) wrongPassword(ctx context.Context) finding {
	switch err := e.API.VerifyPassword(ctx, e.userID, newPassword()); {
	case err == nil:
		return fail("a wrong password is accepted", "Do not run the API in front of this instance, and ask Clerk's support")
	case !hasCode(err, "incorrect_password"):
		return explain(err)
	}
	return ok("refused")
}
