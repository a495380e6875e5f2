package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"clerkql/clerksvc"
)

// markName is the key of the mark in the user's private metadata. By its value we know our own user from any other.
const markName = "clerkql_doctor"

// reservedStatus creates the user, as a sign-up does: its address must come out reserved, and not verified.
func (e *examination) reservedStatus(ctx context.Context) finding {
	mark := json.RawMessage(fmt.Sprintf(`{%q:%q}`, markName, e.mark))
	password := e.password.Reveal()
	params := &clerksvc.CreateUserParams{EmailAddressStatus: []string{"reserved"}}
	params.EmailAddresses, params.Password, params.PrivateMetadata = &[]string{e.address()}, &password, &mark

	account, err := e.API.CreateUser(ctx, params)
	if err != nil {
		e.stopped = "there is no user to try it with"
		e.mayExist = uncertain(err)
		return explain(err)
	}
	e.mayExist, e.userID = true, account.ID
	address := account.Address(e.address())
	switch {
	case address == nil:
		e.stopped = "there is no address to try it with"
		return fail("the new user has no address", fixSupport)
	case address.Verification != nil && address.Verification.Status == clerksvc.StatusVerified:
		e.emailAddressID = address.ID
		return fail("the new address is verified, without any proof",
			"Do not run the API in front of this instance, where everybody could sign up with every address, and ask Clerk's support")
	case !address.Reserved:
		e.emailAddressID = address.ID
		return fail("the new address is not reserved", fixSupport)
	}
	e.emailAddressID = address.ID
	return ok("a new address is reserved, and not verified")
}

// findByAddress looks the user up as a sign-in does.
func (e *examination) findByAddress(ctx context.Context) finding {
	account, err := e.API.FindUserByEmailAddress(ctx, e.address())
	switch {
	case err != nil:
		return explain(err)
	case account == nil || account.ID != e.userID:
		return fail("the new user is not found by its address", "Run doctor again. If it stays like that, "+fixSupport)
	}
	return ok("the new user is found by its address")
}

const (
	// cleanUpTime bounds how long is tried to remove what was created. Clerk's rate limits last ten seconds.
	cleanUpTime = 30 * time.Second
	// lookUps is how often is looked for a user whose creation was not answered: Clerk may still be at it.
	lookUps = 3
	// deletions is how often is tried to delete the user.
	deletions = 3
	// pauseTime is the least time between two tries.
	pauseTime = time.Second / 2
)

// cleanUp removes what was created, also after ctx has ended.
func (e *examination) cleanUp(ctx context.Context) finding {
	if !e.mayExist {
		return skip("nothing was created")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if e.userID == "" {
		found, err := e.lookUp(ctx)
		if err != nil {
			return fail("it is not known whether a user was created: "+describe(err), fmt.Sprintf(
				"Look on the dashboard's Users page for an address that begins with %s, or for the one that you gave, and delete the user", namePrefix))
		}
		if !found {
			return ok("no user was created")
		}
	}
	e.endSessions(ctx)
	return e.deleteUser(ctx)
}

// deleteUser deletes the user. A failure is told even if a later try succeeds: what can't be relied on is not good enough.
func (e *examination) deleteUser(ctx context.Context) finding {
	var failure error // the first
	for i := range deletions {
		if i > 0 {
			pause(ctx, failure)
		}
		err := e.API.DeleteUser(ctx, e.userID)
		switch {
		case err != nil && !hasCode(err, "resource_not_found"):
			if failure == nil {
				failure = err
			}
		case failure != nil:
			return fail("the user is deleted, but not at the first try: "+describe(failure), "Run doctor again, to see whether it lasts")
		default:
			return ok("the user is deleted")
		}
	}
	return fail("user "+e.userID+" could not be deleted: "+describe(failure),
		"Delete it on the dashboard's Users page, which ends its sessions too")
}

// lookUp looks for the user whose creation was not answered, and reports whether there is one.
func (e *examination) lookUp(ctx context.Context) (found bool, err error) {
	for range lookUps {
		pause(ctx, err)
		var account *clerksvc.User
		account, err = e.API.FindUserByEmailAddress(ctx, e.address())
		if err == nil && account != nil && e.isOurs(account) {
			e.userID = account.ID
			return true, nil
		}
	}
	return false, err
}

// pause waits before the next try, for as long as Clerk asked for when it refused the last one, and until ctx ends at most.
func pause(ctx context.Context, failure error) {
	wait := pauseTime
	var clerkErr *clerksvc.ClerkError
	if errors.As(failure, &clerkErr) {
		wait = max(wait, clerkErr.RetryAfter)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isOurs reports whether a user is the one that this run created, and not somebody whose address was given.
func (e *examination) isOurs(account *clerksvc.User) bool {
	var metadata map[string]any
	err := json.Unmarshal(account.PrivateMetadata, &metadata)
	return err == nil && metadata[markName] == e.mark
}

// uncertain reports whether a call that failed may have taken effect.
func uncertain(err error) bool {
	var clerkErr *clerksvc.ClerkError
	return !errors.As(err, &clerkErr) || clerkErr.Uncertain()
}

// hasCode reports whether Clerk listed an error with this code.
func hasCode(err error, code string) bool {
	var clerkErr *clerksvc.ClerkError
	return errors.As(err, &clerkErr) && clerkErr.Has(code)
}
