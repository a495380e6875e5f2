// Package e2e tests the program as users meet it: the built binary, over HTTP, in front of an embedded Clerk.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clerkql-e2e-")
	if err != nil {
		panic(err)
	}
	contract = readContract()
	binary = filepath.Join(dir, "clerkql")
	build := exec.Command("go", append(append([]string{"build"}, raceFlags...), "-o", binary, "clerkql")...)
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	if unseen := contract.unseen(); code == 0 && wholeSuite() && len(unseen) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: no test ever received", strings.Join(unseen, ", "))
		code = 1
	}
	if leaked := transcript.leaked(); len(leaked) > 0 {
		fmt.Fprintln(os.Stderr, "FAIL: the program wrote secrets:\n"+strings.Join(leaked, "\n"))
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// command returns a command that runs the program in an environment of its own.
func command(ctx context.Context, args ...string) *exec.Cmd {
	if err := readSources(); err != nil {
		panic(err)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment()
	return cmd
}

// readSources has go test run these tests again, and not repeat a result from its cache, when the program has changed: it notices
// which files a test reads, once the tests have begun, and knows nothing of the programs that a test builds.
var readSources = sync.OnceValue(func() error {
	return filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		_, err = os.ReadFile(path)
		return err
	})
})

// environment is what programs under test get to see: none of the settings that a developer may have exported. The race
// detector would wait a second at every exit.
func environment(settings ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}, settings...)
}

// wholeSuite reports whether all tests were to run, so that a member that no test received is missed.
func wholeSuite() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return true
}

// handleKey seals the handles of every API that the tests start, so that one can go on where another stopped.
var handleKey = strings.Repeat("5c", 32)

// api is a running `clerkql serve`.
type api struct {
	url     string
	client  *http.Client // that sends the requests; nil: httpClient
	process *exec.Cmd
	log     *logBuffer
	stopped chan struct{}
}

// startAPI runs `clerkql serve` in front of an embedded Clerk until the test ends.
func startAPI(t testing.TB, clerk *clerkemu.Server, flags ...string) *api {
	t.Helper()
	return startWithKeys(t, clerk, handleKey, flags...)
}

// startWithKeys is startAPI with these HANDLE_KEYS.
func startWithKeys(t testing.TB, clerk *clerkemu.Server, keys string, flags ...string) *api {
	t.Helper()
	return start(t, append(append([]string{
		"serve",
		"--addr=127.0.0.1:0",
		"--log-format=json",
		"--playground",
		"--code-attempts=5",
		"--answer-floor=0s", // TestAnswersTakeAlikeLong has another
		"--clerk-api-url=" + clerk.APIURL(),
		"--clerk-secret-key=" + clerk.SecretKey(),
		"--handle-keys=" + keys,
	}, unlimited()...), flags...))
}

// unlimited returns flags for budgets that no test spends.
func unlimited() []string {
	flags := []string{"--clerk-rate-limit=1000000/1s"}
	for _, name := range []string{
		"requests-per-ip", "requests-per-session", "sign-ins-per-ip", "sign-ins-per-address", "sign-ups-per-ip", "mails-per-ip", "mail-pause", "mails-per-address", "mails", "codes-per-handle",
	} {
		flags = append(flags, "--limit-"+name+"=1000000/1s")
	}
	return flags
}

// start runs the program and waits until it says where it serves GraphQL.
func start(t testing.TB, args []string) *api {
	t.Helper()
	a := &api{process: command(context.Background(), args...), log: &logBuffer{}, stopped: make(chan struct{})}
	stderr, err := a.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.process.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan string, 1)
	go func() {
		defer close(a.stopped)
		lines := bufio.NewScanner(io.TeeReader(stderr, a.log))
		for lines.Scan() {
			var event struct{ Msg, GraphQL string }
			if json.Unmarshal(lines.Bytes(), &event) == nil && event.Msg == "serving" {
				serving <- event.GraphQL
			}
		}
	}()
	t.Cleanup(func() { a.stop(t) })
	select {
	case a.url = <-serving:
	case <-a.stopped:
		t.Fatalf("the program ended at once:\n%s", a.log)
	case <-time.After(20 * time.Second):
		t.Fatalf("the program does not serve:\n%s", a.log)
	}
	return a
}

// logged waits until the program has written a text to its log.
func (a *api) logged(t testing.TB, text string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(a.log.String(), text) {
			return
		}
	}
	t.Errorf("%q is not in the log:\n%s", text, a.log)
}

// stop ends the program as an operator would, and checks that it ended well.
func (a *api) stop(t testing.TB) {
	t.Helper()
	if a.process.ProcessState != nil {
		return
	}
	if err := a.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-a.stopped
	if err := a.process.Wait(); err != nil {
		t.Errorf("the program ended with %v:\n%s", err, a.log)
	}
	a.log.check(t)
}

// kill ends the program at once.
func (a *api) kill(t testing.TB) {
	t.Helper()
	if err := a.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-a.stopped
	_ = a.process.Wait() // "signal: killed", as it should be
	a.log.check(t)
}

// logBuffer holds what a program wrote, and the events that must be in it.
type logBuffer struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	events map[string]int // by name, how often at least
}

// check fails the test if the program raced, panicked, or left out an event. It keeps the log for the search for secrets.
func (b *logBuffer) check(t testing.TB) {
	t.Helper()
	log := b.String()
	if strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
		t.Errorf("the program raced or panicked:\n%s", log)
	}
	if missing := b.missing(); len(missing) > 0 {
		t.Errorf("not in the log: %v\n%s", missing, log)
	}
	transcript.wrote(t.Name(), log)
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
