// Command timing measures how well an attacker can tell from the time of one answer whether an account exists. It starts an embedded
// Clerk behind a latency of 20 to 120 ms for each call, runs `clerkql serve` in front of it, and sends signIn with a wrong password,
// requestPasswordReset, and signUp where it is strict, for addresses of several classes, by turns, from several clients. The server knows no time
// but what it learns in a warm-up.
//
// It prints, for each mutation and class, the quantiles and the AUC: the probability that of two answers, one of an account that exists and
// one of this class, the longer one is that of the former. 0.5 is as good as guessing, 0 and 1 are certainty.
//
//	go run ./bench/timing [-samples 1000]
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"clerkql/clerkemu"
)

const (
	clients     = 16
	accounts    = 16
	unlimited   = "1000000/1s" // a budget that is never spent
	warmUp      = 64           // for the server to learn how long its answers take
	apiAddr     = "127.0.0.1:18471"
	handleKey   = "5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c"
	hashingTime = 100 * time.Millisecond // that Clerk takes to hash a password
)

var client = &http.Client{Timeout: 30 * time.Second} //nolint:gochecknoglobals // it is the program's

func main() {
	samples := flag.Int("samples", 1000, "answers of each class")
	flag.Parse()
	if err := run(*samples, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "timing:", err)
		os.Exit(1)
	}
}

func run(samples int, out io.Writer) error {
	clerk, err := clerkemu.New(clerkemu.Options{BcryptCost: bcrypt.MinCost, RateLimit: -1, ResendInterval: -1})
	if err != nil {
		return err
	}
	if err := clerk.Start(); err != nil {
		return err
	}
	defer clerk.Close()
	for class, user := range users() {
		for i := range accounts {
			user.EmailAddress = address(class, i)
			if _, err := clerk.SeedUser(user); err != nil {
				return err
			}
		}
	}
	far := httptest.NewServer(faraway(clerk.URL()))
	defer far.Close()
	stop, err := serve(far.URL, clerk.SecretKey())
	if err != nil {
		return err
	}
	defer stop()

	fmt.Fprintf(out, "%d answers of each class, Clerk 20 to 120 ms away\n", samples)
	for _, mutation := range []string{"signIn", "requestPasswordReset", "signUp"} {
		classes := classesOf(mutation)
		measure(mutation, classes, warmUp)
		took := measure(mutation, classes, samples)
		existing := took["existing"]
		fmt.Fprintln(out, mutation)
		for _, class := range classes[1:] {
			fmt.Fprintf(out, "  %-12s AUC %.3f   %s\n", class, auc(existing, took[class]), quantiles(took[class]))
		}
		fmt.Fprintf(out, "  %-12s             %s\n", "existing", quantiles(existing))
	}
	return nil
}

// users are the accounts of the classes that have some.
func users() map[string]clerkemu.UserSeed {
	return map[string]clerkemu.UserSeed{
		"existing":     {Password: "difference engine"},
		"unverified":   {Password: "difference engine", Reserved: true},
		"banned":       {Password: "difference engine", Banned: true},
		"passwordless": {},
	}
}

// classesOf returns the classes of addresses that a mutation must not tell apart. A sign-up also must not tell an address that is new from
// one that somebody has begun to sign up with.
func classesOf(mutation string) []string {
	if mutation == "signUp" {
		return []string{"existing", "absent", "unfinished"}
	}
	return []string{"existing", "absent", "unverified", "banned", "passwordless"}
}

// faraway returns a way to Clerk that takes its time: 10 to 60 ms there and as much back, and more where Clerk hashes a password.
func faraway(clerkURL string) http.Handler {
	target, _ := url.Parse(clerkURL) // of a server that runs
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(resp *http.Response) error {
			compares := strings.HasSuffix(resp.Request.URL.Path, "/verify_password") && resp.StatusCode != http.StatusNotFound
			creates := strings.HasSuffix(resp.Request.URL.Path, "/users") && resp.Request.Method == http.MethodPost && resp.StatusCode == http.StatusOK
			if compares || creates {
				time.Sleep(hashingTime)
			}
			return nil
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20*time.Millisecond + time.Duration(rand.Int64N(int64(100*time.Millisecond))))
		proxy.ServeHTTP(w, r)
	})
}

// serve builds the program, runs it, and returns what stops it.
func serve(clerkURL, secretKey string) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "clerkql-timing-")
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "clerkql")
	if built, err := exec.Command("go", "build", "-o", binary, "clerkql").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, built)
	}
	program := exec.Command(binary, "serve", "--addr="+apiAddr, "--log-level=error", "--session-mode=ticket",
		"--clerk-api-url="+clerkURL+"/v1", "--clerk-secret-key="+secretKey, "--handle-keys="+handleKey,
		"--limit-requests-per-ip="+unlimited, "--limit-sign-ins-per-ip="+unlimited, "--limit-sign-ins-per-address="+unlimited,
		"--limit-sign-ups-per-ip="+unlimited, "--limit-mails-per-ip="+unlimited, "--sign-up-disclosure=strict", "--answer-floor=0s", "--limit-mail-pause="+unlimited, "--limit-mails-per-address="+unlimited, "--limit-mails="+unlimited)
	program.Stderr = os.Stderr
	if err := program.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = program.Process.Kill()
		_ = program.Wait() // "signal: killed", as it should be
		_ = os.RemoveAll(dir)
	}
	for range 100 {
		if resp, err := client.Get("http://" + apiAddr + "/healthz"); err == nil {
			return stop, resp.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, fmt.Errorf("the API does not answer")
}

func address(class string, i int) string { return fmt.Sprintf("%s%d@example.com", class, i) }

// measure returns how long answers took, by class. The clients take the classes by turns.
func measure(mutation string, classes []string, samples int) map[string][]time.Duration {
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		took = map[string][]time.Duration{}
		jobs = make(chan string)
	)
	for range clients {
		all.Go(func() {
			for class := range jobs {
				email := prepare(mutation, class)
				began := time.Now()
				ask(mutation, email, "not the password")
				mu.Lock()
				took[class] = append(took[class], time.Since(began))
				mu.Unlock()
			}
		})
	}
	for range samples {
		for _, class := range classes {
			jobs <- class
		}
	}
	close(jobs)
	all.Wait()
	return took
}

// prepare returns an address of a class. Those that a sign-up changes are new each time.
func prepare(mutation, class string) string {
	if mutation != "signUp" || class == "existing" {
		return address(class, rand.IntN(accounts))
	}
	email := address(class, rand.Int())
	if class == "unfinished" {
		ask("signUp", email, "of an earlier sign-up")
	}
	return email
}

// ask sends one mutation. That it is not answered as it is to be ends the program.
func ask(mutation, email, password string) {
	want := map[string]string{"signIn": "InvalidCredentials", "signUp": "VerificationRequired", "requestPasswordReset": "PasswordResetSent"}[mutation]
	if err := send(mutation, email, password, want); err != nil {
		panic(err)
	}
}

func send(mutation, email, password, want string) error {
	input := map[string]string{"email": email}
	if mutation != "requestPasswordReset" {
		input["password"] = password
	}
	kind := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input"
	body, err := json.Marshal(map[string]any{
		"query":     fmt.Sprintf("mutation ($input: %s!) { result: %s(input: $input) { __typename } }", kind, mutation),
		"variables": map[string]any{"input": input},
	})
	if err != nil {
		return err
	}
	resp, err := client.Post("http://"+apiAddr+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(answer, []byte(want)) {
		return fmt.Errorf("%s answers %s %w", mutation, answer, err)
	}
	return nil
}

// auc returns the probability that of one of each, the first is longer, ties counting half.
func auc(longer, shorter []time.Duration) float64 {
	slices.Sort(longer)
	slices.Sort(shorter)
	pairs, below, upTo := 0.0, 0, 0
	for _, d := range longer {
		for below < len(shorter) && shorter[below] < d {
			below++
		}
		for upTo < len(shorter) && shorter[upTo] <= d {
			upTo++
		}
		pairs += float64(below) + float64(upTo-below)/2
	}
	return pairs / float64(len(longer)) / float64(len(shorter))
}

// quantiles tells the 10th, 50th and 99th percentile of sorted durations.
func quantiles(sorted []time.Duration) string {
	at := func(share float64) int64 { return sorted[int(float64(len(sorted)-1)*share)].Milliseconds() }
	return fmt.Sprintf("p10 %d ms, p50 %d ms, p99 %d ms", at(0.1), at(0.5), at(0.99))
}
