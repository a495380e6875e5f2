package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// examination is what `clerkql doctor` found.
type examination struct {
	code           int
	checks         []string          // in the order of their lines
	verdict, found map[string]string // by check
	stderr         string
}

// signingKey is made once: to make one takes longer than a whole run of the doctor.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// runClerk starts an embedded Clerk for a test.
func runClerk(t *testing.T, changes ...func(*clerkemu.Options)) *clerkemu.Server {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	return clerkemu.RunT(t, append(changes, func(o *clerkemu.Options) { o.SigningKey = key })...)
}

// doctorCommand returns `clerkql doctor` for an embedded Clerk.
func doctorCommand(clerk *clerkemu.Server, flags ...string) *exec.Cmd {
	return command(context.Background(), append([]string{
		"doctor", "--clerk-api-url=" + clerk.APIURL(), "--clerk-secret-key=" + clerk.SecretKey(),
	}, flags...)...)
}

// examine runs `clerkql doctor` to its end, and fails the test if it printed a secret, or a line that is not as it should be.
func examine(t *testing.T, clerk *clerkemu.Server, stdin string, flags ...string) examination {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := doctorCommand(clerk, flags...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return read(t, clerk, command.ProcessState.ExitCode(), stdout.String(), stderr.String())
}

var checkLine = regexp.MustCompile(`^(ok|FAIL|skip) +(\S+(?: \S+)*) {2,}(\S.*)$`)

// read takes what `clerkql doctor` printed to pieces.
func read(t *testing.T, clerk *clerkemu.Server, code int, stdout, stderr string) examination {
	t.Helper()
	for _, secret := range []string{clerk.SecretKey(), "@", "clerk_test", "424242", "000000", "eyJ", "ver_", "aA1!", "DATA RACE", "panic"} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%q is printed:\n%s%s", secret, stdout, stderr)
		}
	}
	transcript.wrote(t.Name(), stdout+stderr)
	e := examination{code: code, verdict: map[string]string{}, found: map[string]string{}, stderr: stderr}
	for line := range strings.Lines(stdout) {
		parts := checkLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if parts == nil || (parts[1] == "FAIL") != strings.Contains(line, ". Fix: ") {
			t.Fatalf("this is no line of a check: %q", line)
		}
		e.checks = append(e.checks, parts[2])
		e.verdict[parts[2]], e.found[parts[2]] = parts[1], parts[3]
	}
	if len(e.checks) != 17 || e.checks[16] != "clean-up" {
		t.Errorf("%d checks:\n%s%s", len(e.checks), stdout, stderr)
	}
	if failed := len(e.with("FAIL")) > 0; failed && (code != 1 || !strings.Contains(stderr, "checks failed")) ||
		!failed && code == 1 && !strings.Contains(stderr, "interrupted") && !strings.Contains(stderr, "nothing was tried out") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	return e
}

// with returns the checks with this verdict.
func (e examination) with(verdict string) []string {
	return slices.DeleteFunc(slices.Clone(e.checks), func(name string) bool { return e.verdict[name] != verdict })
}

// nothingLeft fails the test if there is a user.
func nothingLeft(t *testing.T, clerk *clerkemu.Server) {
	t.Helper()
	if users := clerk.Users(); len(users) > 0 {
		t.Errorf("%d users are left", len(users))
	}
}

// called returns how often an operation was called.
func called(clerk *clerkemu.Server, operation string) int {
	n := 0
	for _, call := range clerk.Calls() {
		if call.Operation == operation {
			n++
		}
	}
	return n
}

// mails are the checks that need a code to have been sent.
var mails = []string{"send a code", "wrong code", "right code"}

func TestDoctor(t *testing.T) {
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			clerk := runClerk(t, mode.options)
			e := examine(t, clerk, "", append(mode.flags(clerk), "--yes")...)
			var skipped []string
			if mode.production {
				skipped = mails
			}
			if e.code != 0 || !slices.Equal(e.with("skip"), skipped) || e.verdict["clean-up"] != "ok" {
				t.Errorf("%+v", e)
			}
			if mode.production && (called(clerk, "PrepareEmailAddressVerification") > 0 || !strings.Contains(e.found["send a code"], "--email")) {
				t.Errorf("in production: %+v", e)
			}
			if !strings.Contains(e.found["environment"], map[bool]string{true: "production", false: "development"}[mode.production]) {
				t.Errorf("the environment is %q", e.found["environment"])
			}
			ended := called(clerk, "RevokeSession") + called(clerk, "RevokeSignInToken")
			if ended != map[string]int{"session": 1, "ticket": 1, "exchange": 3}[mode.session] || called(clerk, "CreateUser") != 1 || called(clerk, "DeleteUser") != 1 || called(clerk, "GetSessionList") != 0 {
				t.Errorf("the calls were %v", clerk.Calls())
			}
			nothingLeft(t, clerk)
		})
	}
}

// TestDoctorBehindProxy has a production instance whose Frontend API is behind a proxy.
func TestDoctorBehindProxy(t *testing.T) {
	const proxy = "https://app.example.com/__clerk"
	clerk := runClerk(t, func(o *clerkemu.Options) { o.Production, o.ProxyURL = true, proxy })
	frontend := "--clerk-frontend-api-url=" + clerk.FrontendAPIURL()
	if e := examine(t, clerk, "", "--yes", "--session-mode=exchange", frontend, "--clerk-proxy-url="+proxy+"/"); e.verdict["Frontend API"] != "ok" ||
		e.verdict["session mode"] != "FAIL" || !strings.Contains(e.found["session mode"], "host_invalid") {
		t.Errorf("with a slash too many: %+v", e)
	}
	if e := examine(t, clerk, "", "--yes", "--session-mode=exchange", frontend, "--clerk-proxy-url="+proxy); e.code != 0 {
		t.Errorf("%+v", e)
	}
	nothingLeft(t, clerk)
}

// TestDoctorMails gives an address, to which the code is really sent.
func TestDoctorMails(t *testing.T) {
	for name, production := range map[string]bool{"development": false, "production": true} {
		t.Run(name, func(t *testing.T) {
			clerk := runClerk(t, func(o *clerkemu.Options) { o.Production = production })
			e := examine(t, clerk, "yes\n", "--session-mode=ticket", "--email=owner@example.org")
			if e.code != 0 || !slices.Equal(e.with("skip"), []string{"right code"}) || !strings.Contains(e.stderr, "mail a code") {
				t.Errorf("%+v", e)
			}
			if mail := clerk.Mail("owner@example.org"); len(mail) != 1 || clerk.Mail("")[0].To != mail[0].To {
				t.Errorf("the mail is %v", clerk.Mail(""))
			}
			nothingLeft(t, clerk)
		})
	}
}

// TestDoctorAsks has it create nothing unless a person says yes.
func TestDoctorAsks(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, " YES\n": true, "n\n": false, "\n": false, "": false, "yellow\n": false} {
		clerk := runClerk(t)
		e := examine(t, clerk, answer)
		if (e.code == 0) != yes || !strings.Contains(e.stderr, "create a user") {
			t.Errorf("%q: %+v", answer, e)
		}
		for _, call := range clerk.Calls() {
			if !yes && call.Method != http.MethodGet {
				t.Errorf("%q: %s was called", answer, call.Operation)
			}
		}
		if created := called(clerk, "CreateUser") == 1; created != yes || !yes && len(e.with("skip")) != 10 {
			t.Errorf("%q: %+v", answer, e)
		}
		nothingLeft(t, clerk)
	}
}

// TestDoctorFinds has what can be wrong with an instance or the settings, and holds that it says where and how to mend it.
func TestDoctorFinds(t *testing.T) {
	off := false
	refuse := func(operation string, status int, code string) func(*testing.T, *clerkemu.Server) {
		return func(t *testing.T, clerk *clerkemu.Server) {
			if err := clerk.InjectFault(clerkemu.Fault{Operation: operation, Kind: clerkemu.FaultStatus, Status: status, Code: code, Times: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothing := func(*testing.T, *clerkemu.Server) {}
	for _, row := range []struct {
		name    string
		options func(*clerkemu.Options)
		prepare func(*testing.T, *clerkemu.Server)
		flags   []string
		fails   []string
		says    string // in the last line that fails
	}{
		{"wrong key", nil, nothing, []string{"--clerk-secret-key=sk_test_wrong"}, []string{"secret key"}, "API keys page"},
		{"nobody there", nil, nothing, []string{"--clerk-api-url=http://127.0.0.1:1/v1"}, []string{"Backend API"}, "CLERK_API_URL"},
		{"somebody else there", nil, func(t *testing.T, clerk *clerkemu.Server) {
			if err := clerk.InjectFault(clerkemu.Fault{Operation: "*", Kind: clerkemu.FaultGarbage}); err != nil {
				t.Fatal(err)
			}
		}, nil, []string{"Backend API"}, "502"},
		{
			"sessions in production", func(o *clerkemu.Options) { o.Production = true }, nothing,
			[]string{"--session-mode=auto"},
			[]string{"session mode"},
			"Set SESSION_MODE to exchange or ticket",
		},
		{
			"no Native API", func(o *clerkemu.Options) { o.NativeAPI = &off }, nothing,
			[]string{"--session-mode=exchange"},
			[]string{"session mode"},
			`native_api_disabled to fapi.createSignIn. Fix: Switch on "Native API"`,
		},
		{
			"another issuer", nil, nothing,
			[]string{"--clerk-frontend-api-url=https://clerk.example.com"},
			[]string{"Frontend API", "session mode"},
			"other issuer",
		},
		{"proxy that is none", nil, nothing, []string{"--session-mode=exchange", "--clerk-proxy-url=http://127.0.0.1:1"}, []string{"Frontend API", "session mode"}, "host_invalid"},
		{"Frontend API not there", nil, nothing, []string{"--session-mode=exchange", "--clerk-frontend-api-url=http://127.0.0.1:1"}, []string{"Frontend API", "session mode"}, "CLERK_FRONTEND_API_URL"},
		{"clock, ahead", nil, func(_ *testing.T, clerk *clerkemu.Server) { clerk.FastForward(8 * time.Second) }, []string{"--session-mode=ticket"}, []string{"clock"}, "ahead of ours"},
		{"clock, far ahead", nil, func(_ *testing.T, clerk *clerkemu.Server) { clerk.FastForward(time.Minute) }, nil, []string{"clock", "session mode", "second factor"}, "Set the clock"},
		{"clock, behind", func(o *clerkemu.Options) { o.Now = func() time.Time { return time.Now().Add(-8 * time.Second) } }, nothing, nil, []string{"clock"}, "behind ours"},
		{"address taken", nil, func(t *testing.T, clerk *clerkemu.Server) {
			if _, err := clerk.SeedUser(clerkemu.UserSeed{EmailAddress: "owner@example.org", Password: "difference engine"}); err != nil {
				t.Fatal(err)
			}
		}, []string{"--email=owner@example.org"}, []string{"reserved status"}, "form_identifier_exists"},
		{"instance full", nil, refuse("CreateUser", 403, "user_quota_exceeded"), nil, []string{"reserved status"}, "the instance is full"},
		{"no passwords", nil, refuse("CreateUser", 403, "password_disabled"), nil, []string{"reserved status"}, "Switch on passwords"},
		{"restricted", nil, refuse("CreateUser", 403, "not_allowed_access"), nil, []string{"reserved status"}, "Restrictions page"},
		{"no reserving", nil, refuse("CreateUser", 422, "form_param_unknown"), nil, []string{"reserved status"}, "does not know"},
		{"no mail", nil, refuse("PrepareEmailAddressVerification", 400, "dev_monthly_email_limit_exceeded"), nil, []string{"send a code"}, "Leave out --email"},
		{"no such call", nil, refuse("PrepareEmailAddressVerification", 404, "resource_not_found"), nil, []string{"send a code"}, "lacks this call"},
		{"too many calls", nil, refuse("VerifyPassword", 429, "too_many_requests"), nil, []string{"right password"}, "uses up the limit"},
		{"TOTP that is not checked", nil, refuse("VerifyTOTP", 404, "resource_not_found"), nil, []string{"second factor"}, "lacks this call"},
		{"an unknown code", nil, refuse("VerifyPassword", 418, "teapot"), nil, []string{"right password"}, "trace id"},
		{"one attempt at a code", func(o *clerkemu.Options) { o.CodeAttempts = 1 }, nothing, nil, []string{"right code"}, "failed after one wrong code"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			clerk := runClerk(t, func(o *clerkemu.Options) {
				if row.options != nil {
					row.options(o)
				}
			})
			row.prepare(t, clerk)
			before := len(clerk.Users())
			e := examine(t, clerk, "", append([]string{"--yes", "--clerk-frontend-api-url=" + clerk.FrontendAPIURL()}, row.flags...)...)
			failed := e.with("FAIL")
			if !slices.Equal(failed, row.fails) || !strings.Contains(e.found[failed[len(failed)-1]], row.says) {
				t.Errorf("%+v", e)
			}
			if after := len(clerk.Users()); after != before {
				t.Errorf("there were %d users, and are %d", before, after)
			}
		})
	}
}

// TestDoctorWithoutSecondFactors has an instance that lets nobody have TOTP: that is no fault.
func TestDoctorWithoutSecondFactors(t *testing.T) {
	clerk := runClerk(t)
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "UpdateUser", Kind: clerkemu.FaultStatus, Status: 403, Code: "feature_not_enabled", Times: 1}); err != nil {
		t.Fatal(err)
	}
	if e := examine(t, clerk, "", "--yes"); e.code != 0 || e.verdict["second factor"] != "skip" {
		t.Errorf("%+v", e)
	}
}

// TestDoctorWithoutTestMode has a development instance that does not know the test code: that is no fault.
func TestDoctorWithoutTestMode(t *testing.T) {
	off := false
	clerk := runClerk(t, func(o *clerkemu.Options) { o.TestMode = &off })
	if e := examine(t, clerk, "", "--yes"); e.code != 0 || e.verdict["right code"] != "skip" || e.verdict["wrong code"] != "ok" {
		t.Errorf("%+v", e)
	}
}
