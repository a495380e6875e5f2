package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// TestRepeatedSignUp is rule 2.
func TestRepeatedSignUp(t *testing.T) {
	t.Run("with the same password goes on", func(t *testing.T) {
		clerk := clerkemu.RunT(t)
		a := startAPI(t, clerk)
		a.want(t, "VerificationRequired", "signUp", map[string]any{"email": email, "password": password, "firstName": "Adda"})
		first, _ := clerk.UserByEmail(email)
		again := a.want(t, "VerificationRequired", "signUp", map[string]any{"email": email, "password": password, "firstName": "Ada"})
		if again.text("userId") != first.ID {
			t.Error("another user was created")
		}
		if now, _ := clerk.UserByEmail(email); now.FirstName != "Ada" {
			t.Errorf("the name is still %q", now.FirstName)
		}
		a.want(t, "SessionCreated", "verifyEmail", map[string]any{
			"emailAddressId": again["emailAddressId"], "verificationId": again["verificationId"], "code": code(t, clerk, email),
		})
	})

	for name, user := range map[string]clerkemu.UserSeed{
		"a verified account":                     {EmailAddress: email, Password: password, PrivateMetadata: map[string]any{"clerkql_sign_up": true}},
		"an unverified account that is not ours": {EmailAddress: email, Password: password, Reserved: true},
		"an unfinished sign-up that was banned":  {EmailAddress: email, Password: password, Reserved: true, Banned: true, PrivateMetadata: map[string]any{"clerkql_sign_up": true}},
		"an unfinished sign-up that was locked":  {EmailAddress: email, Password: password, Reserved: true, Locked: true, PrivateMetadata: map[string]any{"clerkql_sign_up": true}},
		"an unfinished sign-up, mark not ours":   {EmailAddress: email, Password: password, Reserved: true, PrivateMetadata: map[string]any{"clerkql_sign_up": "yes"}},
	} {
		t.Run("does not replace "+name, func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk)
			before := seed(t, clerk, user)
			a.want(t, "EmailTaken", "signUp", map[string]any{"email": email, "password": "another password"})
			a.want(t, "EmailTaken", "signUp", map[string]any{"email": email, "password": password})
			if now, _ := clerk.UserByEmail(email); now.ID != before.ID || len(clerk.Mail(email)) > 0 {
				t.Error("the account was replaced, or got a mail")
			}
		})
	}

	t.Run("does not replace who signed in before", func(t *testing.T) {
		clerk := clerkemu.RunT(t)
		a := startAPI(t, clerk, "--session-mode=ticket")
		verify := a.signUp(t, clerk, email, password)
		a.want(t, "SignInTicketIssued", "verifyEmail", verify)
		a.want(t, "EmailTaken", "signUp", map[string]any{"email": email, "password": "another password"})
	})
}

// passwords are those of the people in a contest.
var passwords = map[string]string{"owner": password, "attacker": "chosen by an attacker"}

// contest is an address that its owner and an attacker sign up with. Only the owner reads its mail.
type contest struct {
	*api
	clerk *clerkemu.Server
	begun string           // who began the account that there is
	own   map[string]any   // what verifyEmail needs to finish it: the last sign-up's
	held  []map[string]any // all that would finish it
	// dead are the handles that must be good for nothing, whatever code goes with them, and so are the signInIds of resets.
	dead   map[string][]map[string]any
	resets []any
}

// TestASignUpCannotBeHijacked is the other half of rule 2. Whoever signs up with an address, and in whatever order, it becomes the account of
// who reads its mail, with the password that this person chose. On the way, days may go by with nothing entered.
func TestASignUpCannotBeHijacked(t *testing.T) {
	for _, order := range []string{
		"attacker, owner",
		"attacker, owner, attacker, owner",
		"owner, attacker, owner",
		"owner, days, owner",
		"attacker, days, owner",
		"owner, days, attacker, owner",
	} {
		for mode, success := range map[string]string{"session": "SessionCreated", "ticket": "SignInTicketIssued"} {
			t.Run(order+", "+mode+" mode", func(t *testing.T) {
				t.Parallel()
				// All codes are entered with all handles, which must fail for another reason than too many attempts.
				clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.CodeAttempts = 1000 })
				c := &contest{api: startAPI(t, clerk, "--session-mode="+mode), clerk: clerk, dead: map[string][]map[string]any{}}
				for step := range strings.SplitSeq(order, ", ") {
					if step != c.begun {
						c.retire()
					}
					if step == "days" {
						clerk.FastForward(3 * 24 * time.Hour)
					} else {
						c.begun, c.own = step, c.signUp(t, clerk, email, passwords[step])
						c.held = append(c.held, c.own)
					}
					c.staysUnfinished(t)
				}
				c.finish(t, success)
			})
		}
	}
}

// retire has the handles die that are held: they are replaced, or their codes expire.
func (c *contest) retire() {
	c.dead[c.begun] = append(c.dead[c.begun], c.held...)
	c.held = nil
}

// staysUnfinished holds that the sign-up blocks nobody and is of use to nobody while its code is not entered: not to who
// knows its password, who asks for a reset, or who signed up before.
func (c *contest) staysUnfinished(t *testing.T) {
	t.Helper()
	for who, password := range passwords {
		signIn := map[string]any{"email": email, "password": password}
		if who != c.begun {
			c.want(t, "InvalidCredentials", "signIn", signIn)
			continue
		}
		sent := c.want(t, "EmailNotVerified", "signIn", signIn)
		c.held = append(c.held, map[string]any{
			"emailAddressId": sent["emailAddressId"], "verificationId": sent["verificationId"], "code": code(t, c.clerk, email),
		})
	}
	mails := len(c.clerk.Mail(email))
	c.requestReset(t)
	if len(c.clerk.Mail(email)) != mails {
		t.Error("the reset of an unfinished sign-up mailed a code")
	}
	c.tryTheDead(t, c.codes()[:2]) // those of the account that there is
	c.holds(t, false, 0)
}

// finish has the owner, who signed up last, enter the code. From then on nobody else gets anywhere.
func (c *contest) finish(t *testing.T, success string) {
	t.Helper()
	for _, code := range c.codes() { // those that were mailed for the attacker, too
		if code != c.own["code"] {
			c.tries(t, "verifyEmail", c.own, code, "InvalidCode")
		}
	}
	c.want(t, success, "verifyEmail", c.own)
	c.retire()
	c.requestReset(t)
	codes := c.codes() // the first is the reset's, which only the owner reads
	c.tryTheDead(t, slices.DeleteFunc(codes[1:], func(code string) bool { return code == codes[0] }))
	for _, handles := range c.dead["attacker"] {
		c.want(t, "VerificationExpired", "resendVerification", map[string]any{"emailAddressId": handles["emailAddressId"]})
	}
	for _, password := range passwords {
		c.want(t, "EmailTaken", "signUp", map[string]any{"email": email, "password": password})
	}
	c.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": passwords["attacker"]})
	c.want(t, success, "signIn", map[string]any{"email": email, "password": passwords["owner"]})
	c.holds(t, true, 2)
}

// requestReset asks for a reset, which must look the same whoever has the address.
func (c *contest) requestReset(t *testing.T) {
	t.Helper()
	c.resets = append(c.resets, c.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})["signInId"])
}

// tryTheDead enters codes with everything that must not work any more, or never did.
func (c *contest) tryTheDead(t *testing.T, codes []string) {
	t.Helper()
	for _, code := range codes {
		for _, handles := range c.dead["attacker"] {
			c.tries(t, "verifyEmail", handles, code, "VerificationExpired")
		}
		for _, handles := range c.dead["owner"] { // which may be of the account that is verified now
			c.tries(t, "verifyEmail", handles, code, "VerificationExpired", "AlreadyVerified")
		}
		for _, signInID := range c.resets {
			c.tries(t, "resetPassword", map[string]any{"signInId": signInID, "newPassword": newPassword}, code, "InvalidCode")
		}
	}
}

// tries enters a code with handles, and fails the test unless that ends with one of these members.
func (c *contest) tries(t *testing.T, mutation string, handles map[string]any, code string, typenames ...string) {
	t.Helper()
	input := maps.Clone(handles)
	input["code"] = code
	if got, err := c.ask(t.Context(), nil, mutation, input); err != nil || !slices.Contains(typenames, got.typename()) {
		t.Errorf("%s answered %v, want one of %v (%v)", mutation, got, typenames, err)
	}
}

// codes returns all codes that were mailed to the address.
func (c *contest) codes() []string {
	var codes []string
	for _, mail := range c.clerk.Mail(email) {
		codes = append(codes, mail.Code)
	}
	return codes
}

// holds fails the test unless there is one account, verified or not, which has given so many sessions and tickets.
func (c *contest) holds(t *testing.T, verified bool, signIns int) {
	t.Helper()
	users := c.clerk.Users()
	if len(users) != 1 {
		t.Fatalf("%d users", len(users))
	}
	if got := len(c.clerk.Sessions(users[0].ID)) + len(c.clerk.SignInTokens(users[0].ID)); users[0].Verified != verified || got != signIns {
		t.Errorf("verified is %v, and there are %d sessions and tickets; want %v and %d", users[0].Verified, got, verified, signIns)
	}
}

// TestAPasswordThatAnAdministratorSetEndsASignUp has support give the owner the account that an attacker began. The attacker's handles prove a
// password that it has no more, so they are of no use even with a code.
func TestAPasswordThatAnAdministratorSetEndsASignUp(t *testing.T) {
	for mode, success := range map[string]string{"session": "SessionCreated", "ticket": "SignInTicketIssued"} {
		t.Run(mode+" mode", func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk, "--session-mode="+mode)
			attacker := a.signUp(t, clerk, email, passwords["attacker"])
			user, _ := clerk.UserByEmail(email)
			setPassword(t, clerk, user.ID, password)

			resent := a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": attacker["emailAddressId"]})
			attacker["verificationId"], attacker["code"] = resent["verificationId"], code(t, clerk, email)
			a.want(t, "VerificationExpired", "verifyEmail", attacker)
			owner := a.signUp(t, clerk, email, password)
			a.want(t, success, "verifyEmail", owner)
			a.want(t, "InvalidCredentials", "signIn", map[string]any{"email": email, "password": passwords["attacker"]})
		})
	}
}

// setPassword gives a user a password as an administrator would, past the API.
func setPassword(t *testing.T, clerk *clerkemu.Server, userID, password string) {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"password":%q}`, password))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, clerk.APIURL()+"/users/"+userID, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+clerk.SecretKey())
	req.Header.Set("Content-Type", "application/json")
	resp, err := httpClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}
