package clerksvc_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

const newPassword = "analytical engine"

// clocked is a service and an embedded Clerk whose clocks go together.
type clocked struct {
	*clerksvc.Service
	t     *testing.T
	clerk *clerkemu.Server
	ahead time.Duration
}

func newClocked(t *testing.T, mode clerksvc.SessionMode) *clocked {
	t.Helper()
	c := &clocked{t: t, clerk: clerkemu.RunT(t)}
	c.Service = newService(t, c.clerk, func(cfg *clerksvc.Config) {
		cfg.SessionMode = mode
		cfg.Now = func() time.Time { return time.Now().Add(c.ahead) }
	})
	return c
}

func (c *clocked) wait(d time.Duration) {
	c.clerk.FastForward(d)
	c.ahead += d
}

func (c *clocked) code() secret.String { return secret.New(c.clerk.Mail(email)[0].Code) }

func (c *clocked) operations() []string {
	var names []string
	for _, call := range c.clerk.Calls() {
		names = append(names, call.Operation)
	}
	return names
}

func (c *clocked) inject(t *testing.T, fault clerkemu.Fault) {
	t.Helper()
	if err := c.clerk.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
}

// requestReset asks for a reset of the address and returns what resetPassword needs.
func (c *clocked) requestReset(t *testing.T, password string) clerksvc.ResetPasswordInput {
	t.Helper()
	handle, err := c.RequestPasswordReset(t.Context(), clerksvc.Client{}, email)
	if err != nil {
		t.Fatal(err)
	}
	return clerksvc.ResetPasswordInput{SignInID: handle, Code: c.code(), NewPassword: secret.New(password)}
}

// TestASignUpThatIsFinishedMeanwhileIsNotReplaced has the owner verify the address while somebody else's password is compared.
func TestASignUpThatIsFinishedMeanwhileIsNotReplaced(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	started, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	code := c.code()
	c.inject(t, clerkemu.Fault{Operation: "VerifyPassword", Kind: clerkemu.FaultLatency, Latency: time.Second, Times: 1})
	taken := make(chan error, 1)
	go func() {
		_, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New("chosen by an attacker")})
		taken <- err
	}()
	time.Sleep(300 * time.Millisecond)
	if _, err := c.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: code,
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-taken; !errors.Is(err, clerksvc.ErrEmailTaken) {
		t.Errorf("the other sign-up: %v", err)
	}
	if user, ok := c.clerk.UserByEmail(email); !ok || user.ID != started.UserID {
		t.Error("the account is gone")
	}
}

// TestManySignUpsAtOnce has 50 people sign up with one address at the same time, all with the same password or each with
// another. One account must be left, and the handles of one of those who were told that theirs is under way must verify it.
func TestManySignUpsAtOnce(t *testing.T) {
	for name, passwordOf := range map[string]func(i int) string{
		"the same password": func(int) string { return password },
		"other passwords":   func(i int) string { return fmt.Sprintf("%s %d", password, i) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, clerksvc.ModeTicket)
			results := make(chan *clerksvc.VerificationRequired, 50)
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					started, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(passwordOf(i))})
					if err != nil && !errors.As(err, new(*clerksvc.UnavailableError)) {
						t.Errorf("sign-up %d: %v", i, err)
					}
					if err == nil {
						results <- started
					}
				})
			}
			all.Wait()
			close(results)
			user, ok := c.clerk.UserByEmail(email)
			if users := c.clerk.Users(); !ok || len(users) != 1 {
				t.Fatalf("%d users are left", len(users))
			}
			verified := 0
			for started := range results {
				for _, mail := range c.clerk.Mail(email) {
					_, err := c.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
						EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: secret.New(mail.Code),
					})
					if err == nil {
						verified++
						if started.UserID != user.ID {
							t.Error("the handles of an account that was replaced verify something")
						}
						break
					}
				}
			}
			if verified != 1 {
				t.Errorf("%d handles verified the address, want 1", verified)
			}
		})
	}
}

// TestAContinuedSignUpIsLookedAt holds that only an account that was just created counts as fresh.
func TestAContinuedSignUpIsLookedAt(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	var started *clerksvc.VerificationRequired
	for range 2 {
		var err error
		if started, err = c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)}); err != nil {
			t.Fatal(err)
		}
	}
	c.clerk.ResetCalls()
	if _, err := c.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: c.code(),
	}); err != nil {
		t.Fatal(err)
	}
	if calls := c.operations(); calls[0] != "GetUser" {
		t.Errorf("these calls: %v", calls)
	}
}

// TestSignInFailsAlike has Clerk fail at the call that compares the password, for an address that exists and one that does not.
func TestSignInFailsAlike(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	for _, fault := range []clerkemu.Fault{
		{Status: 500},
		{Status: 429, RetryAfter: 3 * time.Second},
		{Status: 404, Code: "resource_not_found"},
		{Status: 403, Code: "user_banned"},
		{Status: 403, Code: "user_locked"},
		{Status: 422, Code: "form_password_length_too_long"},
		{Status: 422, Code: "form_param_nil"},
		{Status: 401, Code: "clerk_key_invalid"},
	} {
		fault.Operation, fault.Kind, fault.Times = "VerifyPassword", clerkemu.FaultStatus, 1
		var answers []string
		for _, address := range []string{email, "absent@example.com"} {
			c.inject(t, fault)
			_, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: address, Password: secret.New("not the password")})
			answers = append(answers, fmt.Sprintf("%T %v", err, err))
		}
		if answers[0] != answers[1] {
			t.Errorf("%s: existing %s, absent %s", fault.Code, answers[0], answers[1])
		}
	}
}

// TestARefusalOfOneAccountIsNotTold has Clerk refuse what only one of the two asks about: an existing account whose password
// can't be compared, and a made-up id whose form it does not like.
func TestARefusalOfOneAccountIsNotTold(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	for _, code := range []string{"password_disabled", "form_param_format_invalid", "made_of_tea"} {
		c.inject(t, clerkemu.Fault{Operation: "VerifyPassword", Kind: clerkemu.FaultStatus, Status: 403, Code: code, Times: 1})
		if _, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)}); !errors.Is(err, clerksvc.ErrInvalidCredentials) {
			t.Errorf("signIn, %s: %v", code, err)
		}
		handle, err := c.RequestPasswordReset(t.Context(), clerksvc.Client{}, "absent@example.com")
		if err != nil {
			t.Fatal(err)
		}
		c.inject(t, clerkemu.Fault{Operation: "AttemptEmailAddressVerification", Kind: clerkemu.FaultStatus, Status: 422, Code: code, Times: 1})
		if _, err := c.ResetPassword(t.Context(), clerksvc.ResetPasswordInput{
			SignInID: handle, Code: secret.New("123456"), NewPassword: secret.New(newPassword),
		}); !errors.As(err, new(*clerksvc.InvalidCodeError)) {
			t.Errorf("resetPassword, %s: %v", code, err)
		}
	}
}

// TestBarredUsersSpendNothing holds that a barred user's code is not tried and no mail is sent.
func TestBarredUsersSpendNothing(t *testing.T) {
	c := newClocked(t, clerksvc.ModeTicket)
	started, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.clerk.SetBanned(started.UserID, true); err != nil {
		t.Fatal(err)
	}
	c.clerk.ResetCalls()
	if _, err := c.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID, VerificationID: started.VerificationID, Code: c.code(),
	}); !errors.Is(err, clerksvc.ErrAccountBanned) {
		t.Errorf("verifyEmail: %v", err)
	}
	if _, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)}); !errors.Is(err, clerksvc.ErrAccountBanned) {
		t.Errorf("signIn: %v", err)
	}
	for _, operation := range []string{"AttemptEmailAddressVerification", "PrepareEmailAddressVerification", "CreateSignInToken"} {
		if slices.Contains(c.operations(), operation) {
			t.Errorf("a banned user got as far as %s", operation)
		}
	}
}

// TestTicketsAreShort holds that Clerk was told how long a ticket may live. Its own default is 30 days.
func TestTicketsAreShort(t *testing.T) {
	c := newClocked(t, clerksvc.ModeTicket)
	user := seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	if _, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	tickets := c.clerk.SignInTokens(user.ID)
	if len(tickets) != 1 || tickets[0].ExpireAt.Sub(tickets[0].CreatedAt) != time.Minute {
		t.Errorf("tickets: %+v", tickets)
	}
	shorter := newService(t, c.clerk, func(cfg *clerksvc.Config) { cfg.SessionMode, cfg.TicketLife = clerksvc.ModeTicket, 20*time.Second })
	signedIn, err := shorter.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	tickets = c.clerk.SignInTokens(user.ID)
	if tickets[1].ExpireAt.Sub(tickets[1].CreatedAt) != 20*time.Second || signedIn.Ticket.ExpiresAt.After(tickets[1].ExpireAt) {
		t.Errorf("%v; tickets: %+v", signedIn.Ticket.ExpiresAt, tickets)
	}
}

// TestNothingIsCreatedTwice holds that a CreateUser that got lost on its way is not sent again.
func TestNothingIsCreatedTwice(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	c.inject(t, clerkemu.Fault{Operation: "CreateUser", Kind: clerkemu.FaultDrop, Times: 1})
	var unavailable *clerksvc.UnavailableError
	if _, err := c.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)}); !errors.As(err, &unavailable) {
		t.Errorf("a lost call: %v", err)
	}
	if calls := c.operations(); !slices.Equal(calls, []string{"CreateUser", "GetUserList"}) {
		t.Errorf("these calls: %v", calls)
	}
}

// TestASessionWithoutATokenIsEnded holds that no session is left that nobody can use, also when the time is up.
func TestASessionWithoutATokenIsEnded(t *testing.T) {
	for name, fault := range map[string]clerkemu.Fault{
		"Clerk fails":       {Kind: clerkemu.FaultStatus, Status: http.StatusInternalServerError},
		"Clerk is too slow": {Kind: clerkemu.FaultLatency, Latency: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			service := newService(t, clerk, func(cfg *clerksvc.Config) { cfg.Timeout = time.Second })
			user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
			fault.Operation = "CreateSessionToken"
			if err := clerk.InjectFault(fault); err != nil {
				t.Fatal(err)
			}
			if _, err := service.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)}); !errors.As(err, new(*clerksvc.UnavailableError)) {
				t.Errorf("without a token: %v", err)
			}
			if sessions := clerk.Sessions(user.ID); len(sessions) != 1 || sessions[0].Status != "revoked" {
				t.Errorf("sessions: %+v", sessions)
			}
		})
	}
}
