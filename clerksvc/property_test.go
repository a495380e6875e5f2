package clerksvc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"pgregory.net/rapid"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
)

// sequences is how many sequences of steps make a check. Rapid ends one with the same chance after each step, 30 steps on the average:
// of two in a row, few are short.
const sequences = 2

// TestNoSessionWithoutProof has rapid draw sequences of steps: calls of every flow, in any order, with handles, codes, passwords and
// tokens out of pools that hold everything that was ever handed out, to whomever; and what happens meanwhile, such as a ban. After
// each step it compares the embedded Clerk with a model of who proved what. The model knows what a flow is told and answers, and never
// opens a handle. No session and no ticket may appear that its owner did not prove, and none may end but by who may end it.
//
// Here are the world and its steps. A step is one of property_calls_test.go, property_sessions_test.go and property_events_test.go: it
// draws its arguments (property_draws_test.go), draws up what it may do by the proofs that are in them, makes the call, and has
// property_model_test.go compare. property_outcomes_test.go notes what was handed out.
func TestNoSessionWithoutProof(t *testing.T) {
	tally := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rt, tally)
		for range sequences {
			rt.Repeat(map[string]func(*rapid.T){"step": func(*rapid.T) { w.step() }})
		}
	})
	t.Logf("steps, by how they ended: %v", tally)
	if tally["steps"] < 5_000 { // too few to have met everything for sure
		return
	}
	for _, way := range []string{
		"SignIn", "VerifyEmail", "ResetPassword", "AttemptSecondFactor TOTP", "AttemptSecondFactor BACKUP_CODE",
		"AttemptSecondFactor EMAIL_CODE", "RefreshSession", "SignOut", "SignOutEverywhere", "RevokeSession", "Sessions",
	} {
		if tally[way+": ok"] == 0 {
			t.Errorf("%s never succeeded, so nothing was tested of it", way)
		}
	}
}

// world is a service, an embedded Clerk, and what the model knows of both.
type world struct {
	t          *rapid.T
	tally      map[string]int
	clerk      *clerkemu.Server
	api        *clerksvc.API
	frontend   *clerksvc.FrontendAPI
	service    *clerksvc.Service
	mode       clerksvc.SessionMode
	newDevices bool // CheckNewDevices
	strict     bool // StrictSignUp
	nanos      atomic.Int64
	steps      int
	history    []string // what happened, a line each
	fault      string   // the operation of Clerk's that fails in this step
	problem    string   // what is wrong with how the call of this step ended

	accounts []*account // everybody who ever was, oldest first
	handles  []*handle  // newest first, as are all pools
	mails    []*mailed
	tokens   []*token
	tickets  []*ticket
	sessions []*session
}

// signingKey spares each embedded Clerk a key generation.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// The people. Ada has a password, Bob a second factor as well. Carol and Dan may sign up, unless an administrator has put Dan in, with
// an address that is not verified. Ada and Bob chose their passwords in the same moment, so only whose they are tells them apart.
const (
	ada, bob, carol, dan = "ada@example.com", "bob@example.com", "carol@example.com", "dan@example.com"
	leaked, short        = "correcthorsebatterystaple", "short"
)

func addresses() []string { return []string{ada, bob, carol, dan} }

func newPasswords() []string { return []string{"pick-me-1", "pick-me-2", "pick-me-3", leaked, short} }

func passwords() []string {
	return append(newPasswords(), "password of ada", "password of bob", "password of dan")
}

func newWorld(outer *testing.T, t *rapid.T, tally map[string]int) *world {
	w := &world{t: t, tally: tally}
	// There is always something to draw.
	w.handles = []*handle{{text: "made up", name: "a made-up handle"}}
	w.tokens = []*token{{text: "made up", name: "a made-up token"}}
	w.tickets = []*ticket{{text: "made up", name: "a made-up ticket"}}
	w.sessions = []*session{{id: "sess_nobodys", name: "a made-up session"}}
	w.mode = rapid.SampledFrom([]clerksvc.SessionMode{clerksvc.ModeSession, clerksvc.ModeTicket, clerksvc.ModeExchange}).Draw(t, "mode")
	w.newDevices = rapid.Bool().Draw(t, "new devices are checked")
	w.strict = rapid.Bool().Draw(t, "sign-ups are strict")
	w.nanos.Store(time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC).UnixNano())

	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	// The pause between two codes is on: that nothing but the first code can verify a fresh account rests on it.
	w.clerk, err = clerkemu.New(clerkemu.Options{
		SigningKey: key, BcryptCost: bcrypt.MinCost, RateLimit: -1, SignInRateLimit: -1, Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.clerk.Close() })
	if err := w.clerk.Start(); err != nil {
		t.Fatal(err)
	}
	w.api = newAPI(w.clerk)
	w.frontend = clerksvc.NewFrontendAPI(clerksvc.FrontendAPIConfig{URL: w.clerk.FrontendAPIURL(), Timeout: 5 * time.Second})
	w.service = newService(outer, w.clerk, func(cfg *clerksvc.Config) {
		cfg.API, cfg.FrontendAPI, cfg.Now = w.api, w.frontend, w.now
		cfg.SessionMode, cfg.CheckNewDevices, cfg.StrictSignUp = w.mode, w.newDevices, w.strict
	})

	w.seed(clerkemu.UserSeed{EmailAddress: ada, Password: "password of ada"})
	w.seed(clerkemu.UserSeed{
		EmailAddress: bob, Password: "password of bob", TOTPSecret: totpSecretOf(1), BackupCodes: []string{"backup-1", "backup-2", "backup-3"},
	})
	if rapid.Bool().Draw(t, "an administrator has put Dan in") {
		w.seed(clerkemu.UserSeed{EmailAddress: dan, Password: "password of dan", Reserved: true})
	}
	return w
}

func (w *world) seed(user clerkemu.UserSeed) {
	seeded, err := w.clerk.SeedUser(user)
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.adopt(seeded, user.Password)
	a.totpSecret, a.backupCodes = user.TOTPSecret, user.BackupCodes
}

func totpSecretOf(account int) string { return fmt.Sprintf("JBSWY3DPEHPK3PX%c", 'A'+account%26) }

func (w *world) now() time.Time { return time.Unix(0, w.nanos.Load()).UTC() }

// action is a kind of step.
type action struct {
	name   string
	weight int
	do     func(*world)
}

// actions are all kinds of steps. The first is what rapid makes of a step that does not matter to a failure.
func actions() []action {
	return []action{
		{"Sessions", 1, (*world).listSessions},
		{"SignIn", 7, (*world).signIn},
		{"AttemptSecondFactor", 8, (*world).attemptSecondFactor},
		{"ResetPassword", 6, (*world).resetPassword},
		{"VerifyEmail", 6, (*world).verifyEmail},
		{"RequestPasswordReset", 5, (*world).requestPasswordReset},
		{"SignUp", 4, (*world).signUp},
		{"PrepareSecondFactor", 5, (*world).prepareSecondFactor},
		{"time passes", 6, (*world).timePasses},
		{"ResendVerification", 2, (*world).resendVerification},
		{"RefreshSession", 2, (*world).refreshSession},
		{"RevokeSession", 2, (*world).revokeSession},
		{"SignOut", 2, (*world).signOut},
		{"SignOutEverywhere", 2, (*world).signOutEverywhere},
		{"a ticket is redeemed", 2, (*world).redeem},
		{"an administrator bars somebody", 1, (*world).bar},
		{"an administrator sets a password", 2, (*world).setPassword},
		{"a second factor is turned on", 1, (*world).enableTOTP},
	}
}

// actionNames has every action as often as it weighs.
var actionNames = sync.OnceValue(func() []string {
	var names []string
	for _, a := range actions() {
		for range a.weight {
			names = append(names, a.name)
		}
	}
	return names
})

// step is one step: a moment passes, and something is done.
func (w *world) step() {
	w.steps++
	w.tally["steps"]++
	w.nanos.Add(int64(100 * time.Millisecond))
	w.look()
	w.mayFail("")
	name := drawn(w, "action", nil, actionNames())
	for _, a := range actions() {
		if a.name == name {
			a.do(w)
		}
	}
}

// logf tells what a step was and how it ended.
func (w *world) logf(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf("%3d  %s  %s", w.steps, w.now().Format("Jan 2 15:04:05.0"), fmt.Sprintf(format, args...)))
}

// failf fails with all that led to it. Nothing in it differs from run to run: rapid would not take it for the same failure.
func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s. mode %s, new devices checked: %t, strict: %t. The steps:\n%s",
		fmt.Sprintf(format, args...), w.mode, w.newDevices, w.strict, strings.Join(w.history, "\n"))
}
