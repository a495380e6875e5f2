package clerksvc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"clerkql/clerkemu"
)

// oldPasswordFinishes is what the flows do not hold, as docs/architecture.md says, and the model lets pass: AttemptSecondFactor, in the
// 30 seconds in which it does not look at the account again, does not see that the password was changed, be it by a reset. Set to
// false, the test finds it.
const oldPasswordFinishes = true

// account is an account from its creation to its end. A sign-up that replaces another makes another account. Its secrets are the
// model's own; everything else is what the embedded Clerk says of it before the step.
type account struct {
	clerkemu.User
	sessions []clerkemu.Session
	tickets  []clerkemu.SignInToken

	name        string
	gone        bool
	password    string
	totpSecret  string
	backupCodes []string
}

func (a *account) barred() bool { return a.Banned || a.Locked || a.Deprovisioned }

// kind is what a handle is for.
type kind string

const (
	kindEmailAddress kind = "emailAddressId"
	kindVerification kind = "verificationId"
	kindReset        kind = "signInId of a reset"
	kindSecondFactor kind = "signInId of a sign-in"
	kindRefresh      kind = "refreshToken"
	kindDevice       kind = "deviceToken"
)

// handle is a handle that was handed out, with what its holder did to get it.
type handle struct {
	text    string
	name    string
	kind    kind
	account *account // nil: of a decoy
	issued  time.Time
	expires time.Time
	// missing is what its holder should have proved to get it, and did not. No session may come of that.
	missing []string
	// passwordAt is when the password was set that was proved, or that a reset is to replace.
	passwordAt time.Time
	code       *mailed   // that goes with it
	first      bool      // a verificationId: of the first code to an account that was created in the same step
	byMail     bool      // the second factor is a mailed code
	lookedAt   time.Time // of a sign-in: when the account was
	proved     bool      // the code was accepted, and only what follows failed
	signIn     *signIn   // that is to be finished
	sessionID  string    // that it refreshes
}

// signIn is a sign-in that lacks its second factor, however many handles it has.
type signIn struct{ sessions int }

// mailed is a code that was mailed.
type mailed struct {
	code   string
	to     string
	sentAt time.Time
	used   bool
}

// token is a session token that was handed out.
type token struct {
	text, name, sessionID string
	account               *account
	expires               time.Time
}

// ticket is a ticket that was handed out.
type ticket struct {
	text, name, id string
	account        *account
}

// session is a session that was made.
type session struct{ id, name string }

// claim is what a step may do by the proofs that it and the history of its handles have. It is drawn up before the call.
type claim struct {
	account *account
	// first is what lacks of the first factor: a right password, or the mailed code of a reset, of an account that may sign in.
	first []string
	// rest is what else lacks for a session.
	rest []string
	// code is the mailed code that the step enters rightly, if it does.
	code *mailed
	// secondFactor: one of the account's own is entered rightly.
	secondFactor bool
	// entered is the code of that.
	entered string
	// signIn is the one that the step would finish.
	signIn *signIn
	// signsUp is the address of a sign-up.
	signsUp string
	// newPassword is what the step may set, if it may.
	newPassword string
	// ends tells which sessions the step may end.
	ends func(clerkemu.Session) bool
}

func need(missing *[]string, ok bool, what string) {
	if !ok {
		*missing = append(*missing, what)
	}
}

// needAccount notes what every session needs, and reports whether there is an account to look at.
func (c *claim) needAccount(a *account) bool {
	c.account = a
	need(&c.first, a != nil && !a.gone, "an account")
	if len(c.first) > 0 {
		c.account = nil
		return false
	}
	return true
}

// look reads the embedded Clerk.
func (w *world) look() {
	for _, a := range w.accounts {
		user, ok := w.clerk.UserByID(a.ID)
		if a.gone = !ok; !a.gone {
			a.User, a.sessions, a.tickets = user, w.clerk.Sessions(a.ID), w.clerk.SignInTokens(a.ID)
		}
	}
}

// adopt makes the model know an account.
func (w *world) adopt(user clerkemu.User, password string) *account {
	name, _, _ := strings.Cut(user.EmailAddress, "@")
	for _, a := range w.accounts {
		if a.EmailAddress == user.EmailAddress {
			name += "'"
		}
	}
	a := &account{User: user, name: name, password: password}
	w.accounts = append(w.accounts, a)
	return a
}

// holder returns whose an address is, or nil.
func (w *world) holder(address string) *account {
	user, ok := w.clerk.UserByEmail(address)
	if !ok {
		return nil
	}
	return w.accountByID(user.ID)
}

func (w *world) accountByID(id string) *account {
	i := slices.IndexFunc(w.accounts, func(a *account) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return w.accounts[i]
}

func (w *world) sessionName(id string) string {
	for _, s := range w.sessions {
		if s.id == id {
			return s.name
		}
	}
	return "a session that nobody made"
}

// rightCode returns the code that was mailed with a handle if that is what was entered, in time and for the first time, or else nil.
func (w *world) rightCode(h *handle, entered string) *mailed {
	const codeLife = 10 * time.Minute
	if h.code == nil || h.code.code != entered || h.code.used || !w.now().Before(h.code.sentAt.Add(codeLife)) {
		return nil
	}
	return h.code
}

// rightSecondFactor reports whether a code is the second factor of an account: what its app shows, one step of skew allowed, or a
// backup code that was not used.
func (w *world) rightSecondFactor(a *account, entered string) bool {
	if !a.TOTPEnabled {
		return false
	}
	for _, skew := range []time.Duration{-30 * time.Second, 0, 30 * time.Second} {
		if code, err := totp.GenerateCode(a.totpSecret, w.now().Add(skew)); err == nil && code == entered {
			return true
		}
	}
	return slices.Contains(a.backupCodes, entered)
}

// hand notes a handle that was handed out.
func (w *world) hand(h handle) *handle {
	whose := "nobody"
	if h.account != nil {
		whose = h.account.name
	}
	if h.code != nil && (h.account == nil || h.code.to != h.account.EmailAddress) {
		w.failf("a code for %s was mailed to %s", whose, h.code.to)
	}
	h.issued = w.now()
	h.name = fmt.Sprintf("handle %d (%s, %s)", len(w.handles), h.kind, whose)
	w.handles = slices.Insert(w.handles, 0, &h)
	w.logf("  hands out %s", h.name)
	return &h
}

// handToken notes a session token, and checks that it speaks for this account and session.
func (w *world) handToken(a *account, sessionID, text string) {
	var claims struct {
		Subject   string `json:"sub"`
		SessionID string `json:"sid"`
		Expires   int64  `json:"exp"`
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		w.failf("a session token of %s is no JWT", a.name)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Subject != a.ID || claims.SessionID != sessionID {
		w.failf("a session token of %s for %s speaks for another", a.name, w.sessionName(sessionID))
	}
	w.tokens = slices.Insert(w.tokens, 0, &token{
		text: text, name: fmt.Sprintf("token %d (%s)", len(w.tokens), w.sessionName(sessionID)),
		account: a, sessionID: sessionID, expires: time.Unix(claims.Expires, 0),
	})
}
