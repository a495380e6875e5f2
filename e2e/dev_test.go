package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// dev is a running `clerkql dev`, by what it printed.
type dev struct {
	banner, url, mailbox, mutation string
	log                            *logBuffer
}

// startDev runs `clerkql dev` on free ports.
func startDev(t *testing.T, flags ...string) dev {
	t.Helper()
	var stdout, stderr logBuffer
	program := command(context.Background(), append([]string{"dev", "--addr=127.0.0.1:0", "--emulator-addr=127.0.0.1:0"}, flags...)...)
	program.Stdout, program.Stderr = &stdout, &stderr
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := program.Wait(); err != nil {
			t.Errorf("dev ended with %v:\n%s", err, &stderr)
		}
		stderr.check(t)
	})
	banner := regexp.MustCompile(`(?s)Playground\s+(http\S+)/\n.*Mailbox\s+(http\S+)/mailbox\n.*(mutation \{.*\n  \})\n.*Backup code`)
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found := banner.FindStringSubmatch(stdout.String()); found != nil {
			return dev{stdout.String(), found[1], found[2], found[3], &stderr}
		}
	}
	t.Fatalf("dev does not serve within 15 seconds:\n%s\n%s", &stdout, &stderr)
	return dev{}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := httpClient.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestWalkthrough runs the walk-through script, which needs a shell with curl and sed, against `clerkql dev` in every session mode on
// every kind of instance.
func TestWalkthrough(t *testing.T) {
	for _, tool := range []string{"sh", "sed", "curl"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "true" {
			t.Skipf("SKIPPED: the walk-through needs %s. Install it, or run: make deps", tool)
		}
	}
	for _, mode := range modes() {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			dev := startDev(t, "--rate-limits=off", "--session-mode="+mode.session, "--emulator-production="+strconv.FormatBool(mode.production))
			walk := exec.CommandContext(t.Context(), "sh", "walkthrough.sh", dev.url, dev.mailbox)
			walk.Env = environment()
			if mode.session == "session" {
				walk.Env = environment("PAUSE=0")
			}
			out, err := walk.CombinedOutput()
			if err != nil || !strings.Contains(string(out), mode.success) {
				t.Errorf("the walk-through ended with %v:\n%s\n%s", err, out, dev.log)
			}
		})
	}
}

// TestDev tries what dev prints.
func TestDev(t *testing.T) {
	dev := startDev(t)
	a := &api{url: dev.url + "/graphql", log: &logBuffer{}}
	if printed := a.query(t, dev.mutation, nil, nil); !strings.Contains(printed.Raw, "VerificationRequired") {
		t.Errorf("the mutation to paste answers %s", printed.Raw)
	}
	for page, want := range map[string]string{
		dev.url + "/":                 "graphiql",
		dev.url + "/healthz":          "ok",
		dev.mailbox + "/mailbox":      "verification code",
		dev.mailbox + "/mailbox.json": `"code":"`,
	} {
		if status, body := get(t, page); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, and no %q", page, status, want)
		}
	}

	printed := func(name string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)^  ` + name + ` +(.+)$`).FindStringSubmatch(dev.banner)
		if found == nil {
			t.Fatalf("no %s in:\n%s", name, dev.banner)
		}
		return found[1]
	}
	half := a.signInHalf(t, printed("E-mail"), printed("Password"))
	code, err := totp.GenerateCode(printed("TOTP secret"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, body := get(t, printed("TOTP code")); !strings.Contains(body, `"code":"`) {
		t.Errorf("the TOTP code: %s", body)
	}
	a.want(t, "SessionCreated", "attemptSecondFactor", attempt(half, "TOTP", code))
	half = a.signInHalf(t, printed("E-mail"), printed("Password"))
	a.want(t, "SessionCreated", "attemptSecondFactor", attempt(half, "BACKUP_CODE", printed("Backup code")))
}

// TestDevInProduction has the embedded Clerk be a production instance: what dev does by itself has to work there.
func TestDevInProduction(t *testing.T) {
	dev := startDev(t, "--emulator-production")
	a := &api{url: dev.url + "/graphql", log: &logBuffer{}}
	half := a.signInHalf(t, "demo@example.com", "demo user of ClerkQL")
	a.want(t, "SignInTicketIssued", "attemptSecondFactor", attempt(half, "BACKUP_CODE", "demo0001"))
}

// TestCommandLine has the commands that end by themselves, and the settings that are refused.
func TestCommandLine(t *testing.T) {
	for _, row := range []struct {
		args, env []string
		code      int
		stdout    string
		stderr    []string // one line each
	}{
		{[]string{"schema"}, nil, 0, "union SignInResult", nil},
		{[]string{"version"}, nil, 0, "clerkql ", nil},
		{[]string{"--help"}, nil, 0, "embedded Clerk", nil},
		{[]string{"serve", "--help"}, nil, 0, "$HANDLE_KEYS", nil},
		{[]string{"fly"}, nil, 2, "", []string{"fly"}},
		{[]string{"dev", "--nope"}, nil, 2, "", []string{"--nope"}},
		{[]string{"serve"}, nil, 2, "", []string{"CLERK_SECRET_KEY", "HANDLE_KEYS"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1"}, 2, "", []string{"HANDLE_KEYS"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=pk_test_1", "HANDLE_KEYS=" + handleKey + ",abc"}, 2, "", []string{"CLERK_SECRET_KEY", "key 2"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "CLERK_API_URL=http://api.example.com/v1"}, 2, "", []string{"CLERK_API_URL"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "SESSION_MODE=cookie"}, 2, "", []string{"SESSION_MODE"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "TRUSTED_PROXIES=proxy"}, 2, "", []string{"trusted-proxies"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "CLERK_TIMEOUT=0s"}, 2, "", []string{"CLERK_TIMEOUT"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "CLERK_RATE_LIMIT=19/10s", "CLERK_CONCURRENCY=0"}, 2, "", []string{"CLERK_RATE_LIMIT", "CLERK_CONCURRENCY"}},
		{[]string{"serve", "--addr=nowhere"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"ADDR"}},
		{[]string{"serve", "--addr=192.0.2.1:1"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 1, "", []string{"192.0.2.1:1"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_live_1", "HANDLE_KEYS=" + handleKey, "SESSION_MODE=session"}, 2, "", []string{"SESSION_MODE"}},
		{[]string{"serve"}, []string{"SESSION_MODE=cookie", "LOG_FORMAT=xml", "ADDR="}, 2, "", []string{"LOG_FORMAT", "SESSION_MODE", "CLERK_SECRET_KEY", "HANDLE_KEYS"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_live_1", "HANDLE_KEYS=" + handleKey, "SESSION_MODE=exchange"}, 2, "", []string{"CLERK_FRONTEND_API_URL"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_live_1", "HANDLE_KEYS=" + handleKey, "CLERK_PROXY_URL=example.com/__clerk"}, 2, "", []string{"CLERK_PROXY_URL"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "NEW_DEVICE_CHECK=on"}, 2, "", []string{"NEW_DEVICE_CHECK"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "SIGN_UP_DISCLOSURE=on", "REDIS_URL=redis-host:6379"}, 2, "", []string{"SIGN_UP_DISCLOSURE", "REDIS_URL"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_live_1", "HANDLE_KEYS=" + handleKey, "CLERK_PROXY_URL=https://example.com/__clerk", "CLERK_FRONTEND_API_URL=https://clerk.example.com"}, 2, "", []string{"CLERK_FRONTEND_API_URL"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_live_1", "HANDLE_KEYS=" + handleKey, "SESSION_COOKIES=true"}, 2, "", []string{"SESSION_COOKIES"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "SESSION_COOKIES=true", "SESSION_MODE=ticket"}, 2, "", []string{"SESSION_COOKIES"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "TICKET_LIFE=1h"}, 2, "", []string{"TICKET_LIFE"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "ANSWER_FLOOR=3s"}, 2, "", []string{"ANSWER_FLOOR"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "LIMIT_MAILS=many"}, 2, "", []string{"limit-mails"}},
		{[]string{"serve", "--rate-limits=off"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"--rate-limits"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "REDIS_URL=http://127.0.0.1"}, 2, "", []string{"redis://"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "ALLOWED_ORIGINS=https://app.example.com,*,http://app.example.com"}, 2, "", []string{"origin 2", "origin 3"}},
		{[]string{"serve", "--trusted-documents=nothing.json"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"trusted-documents"}},
		{[]string{"serve", "--addr=127.0.0.1:0", "--trusted-documents=" + manifest(t, "{ viewr }")}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"trusted document " + hash("{ viewr }")}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "SHUTDOWN_DELAY=1h"}, 2, "", []string{"SHUTDOWN_DELAY"}},
		{[]string{"serve", "--max-mutations=6"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"MAX_MUTATIONS"}},
		{[]string{"serve", "--max-mutations=0"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"MAX_MUTATIONS"}},
		{[]string{"serve", "--max-mutations=3"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey}, 2, "", []string{"MUTATION_TIMEOUT"}},
		{[]string{"serve"}, []string{"CLERK_SECRET_KEY=sk_test_1", "HANDLE_KEYS=" + handleKey, "PASSWORD_MIN_LENGTH=7", "PASSWORD_FORBIDDEN_WORDS=acm"}, 2, "", []string{"PASSWORD_MIN_LENGTH", "PASSWORD_FORBIDDEN_WORDS"}},
		{[]string{"dev", "--emulator-production", "--session-mode=session"}, nil, 2, "", []string{"SESSION_MODE"}},
		{[]string{"dev"}, []string{"CLERK_SECRET_KEY=sk_live_1"}, 2, "", []string{"CLERK_SECRET_KEY"}},
		{[]string{"emulator"}, []string{"CLERK_SECRET_KEY=sk_live_1"}, 2, "", []string{"CLERK_SECRET_KEY"}},
		{[]string{"doctor", "--help"}, nil, 0, "$DOCTOR_EMAIL", nil},
		{[]string{"doctor"}, nil, 2, "", []string{"CLERK_SECRET_KEY"}},
		{[]string{"doctor"}, []string{"CLERK_SECRET_KEY=sk_live_1", "SESSION_MODE=session"}, 2, "", []string{"SESSION_MODE"}},
		{[]string{"doctor"}, []string{"CLERK_SECRET_KEY=sk_test_1", "SESSION_MODE=exchange"}, 2, "", []string{"CLERK_FRONTEND_API_URL"}},
		{[]string{"doctor", "--email=Ada <ada@example.com>"}, []string{"CLERK_SECRET_KEY=sk_test_1", "CLERK_TIMEOUT=0s"}, 2, "", []string{"CLERK_TIMEOUT", "--email"}},
		{[]string{"doctor", "--handle-keys=" + handleKey}, []string{"CLERK_SECRET_KEY=sk_test_1"}, 2, "", []string{"handle-keys"}},
		{[]string{"dev", "--emulator-addr=0.0.0.0:0"}, nil, 2, "", []string{"EMULATOR_ADDR"}},
	} {
		t.Run(strings.Join(append(row.args, row.env...), " "), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // should it run instead
			defer cancel()
			program := command(ctx, row.args...)
			program.Env, program.Stdout, program.Stderr = environment(row.env...), &stdout, &stderr
			_ = program.Run() // the exit code is looked at below
			transcript.wrote(t.Name(), stderr.String())
			if code := program.ProcessState.ExitCode(); code != row.code || !strings.Contains(stdout.String(), row.stdout) {
				t.Errorf("exit code %d, want %d:\n%s\n%s", code, row.code, &stdout, &stderr)
			}
			lines := strings.FieldsFunc(stderr.String(), func(r rune) bool { return r == '\n' })
			if len(lines) != len(row.stderr) {
				t.Fatalf("%d lines, want %d:\n%s", len(lines), len(row.stderr), &stderr)
			}
			for i, want := range row.stderr {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d does not name %s: %s", i+1, want, lines[i])
				}
			}
			if strings.Contains(stderr.String(), "sk_live_1") || strings.Contains(stderr.String(), handleKey) {
				t.Errorf("a secret is printed: %s", &stderr)
			}
		})
	}
}
