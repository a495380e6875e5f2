// Package config reads the settings: from the command line, or else from the environment, once, at the start. Settings that
// are secret have a type that can't be printed.
package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"clerkql/internal/secret"
)

// CommandLine has the commands. Command names the one that was given.
type CommandLine struct {
	Dev      Dev      `cmd:"" help:"Run the API with an embedded Clerk, a Playground and a mailbox. Nothing else is needed."`
	Serve    Serve    `cmd:"" help:"Run the API in front of a Clerk instance."`
	Emulator Emulator `cmd:"" help:"Run the embedded Clerk alone."`
	Schema   struct{} `cmd:"" help:"Print the GraphQL schema."`
	Version  struct{} `cmd:"" help:"Print the version."`

	// Command is the name of the command that was given.
	Command string `kong:"-"`
}

// HTTP is how the API is served.
type HTTP struct {
	Addr            string         `env:"ADDR" default:"127.0.0.1:8080" help:"Address that the API listens on."`
	TrustedProxies  []netip.Prefix `env:"TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies whose X-Forwarded-For is believed. None: the client is whoever connects."`
	ShutdownTimeout time.Duration  `env:"SHUTDOWN_TIMEOUT" default:"30s" help:"How long requests under way may take to finish at a shutdown."`
}

// Log is what is logged, to standard error.
type Log struct {
	LogLevel  slog.Level `env:"LOG_LEVEL" default:"info" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat string     `env:"LOG_FORMAT" default:"text" help:"Form of a log line: text or json."`
}

// Flows is how the flows run.
type Flows struct {
	SessionMode       string        `env:"SESSION_MODE" default:"auto" help:"What a finished sign-in gives: a session with its token, which Clerk allows on development instances only, or a ticket for one of Clerk's SDKs. auto is ticket with an sk_live_ key, else session."`
	AuthorizedParties []string      `env:"AUTHORIZED_PARTIES" placeholder:"ORIGIN" help:"Origins that the azp of a session token may name. None: every origin."`
	ClerkTimeout      time.Duration `env:"CLERK_TIMEOUT" default:"5s" help:"Longest that one call to Clerk may take."`
	MutationTimeout   time.Duration `env:"MUTATION_TIMEOUT" default:"20s" help:"Longest that one mutation may take, with all its calls to Clerk."`
}

// Dev is the command dev.
type Dev struct {
	HTTP
	Log
	Flows
	EmulatorAddr string `env:"EMULATOR_ADDR" default:"127.0.0.1:8090" help:"Loopback address that the embedded Clerk listens on."`
	noProductionKey
}

// Serve is the command serve.
type Serve struct {
	HTTP
	Log
	Flows
	ClerkSecretKey      secret.String   `env:"CLERK_SECRET_KEY" placeholder:"sk_..." help:"Secret key of the Clerk instance. Required. Better set in the environment: a process list shows flags."`
	HandleKeys          []secret.String `env:"HANDLE_KEYS" placeholder:"HEX" help:"Keys of 64 hexadecimal digits that seal the handles (make one with: openssl rand -hex 32). The first seals, all open. Required. Better set in the environment."`
	ClerkAPIURL         string          `name:"clerk-api-url" env:"CLERK_API_URL" default:"https://api.clerk.com/v1" help:"Clerk's Backend API."`
	ClerkFrontendAPIURL string          `name:"clerk-frontend-api-url" env:"CLERK_FRONTEND_API_URL" placeholder:"URL" help:"The instance's Frontend API, which is the issuer of its session tokens. Clerk is asked when it is not set."`
	CodeAttempts        int             `env:"CODE_ATTEMPTS" default:"0" help:"How many times the instance lets a mailed code be tried, if you know. It is told as attemptsRemaining."`
	Playground          bool            `env:"PLAYGROUND" help:"Serve the Playground at / and let clients ask for the schema."`
}

// Emulator is the command emulator.
type Emulator struct {
	Log
	Addr       string `env:"EMULATOR_ADDR" default:"127.0.0.1:8090" help:"Loopback address that the embedded Clerk listens on."`
	Production bool   `env:"EMULATOR_PRODUCTION" help:"Behave like a production instance."`
	noProductionKey
}

// noProductionKey keeps the embedded Clerk from running where a production key is at hand: it is not meant for there.
type noProductionKey struct {
	ClerkSecretKey secret.String `env:"CLERK_SECRET_KEY" hidden:""`
}

// Parse reads args, without the program's name, and the environment. --help writes to stdout and ends the program. The
// error names the first setting that can't be read, such as a duration without a unit, or else every setting that is
// missing or wrong, one per line.
func Parse(args []string, stdout, stderr io.Writer) (*CommandLine, error) {
	var line CommandLine
	parser, err := kong.New(&line,
		kong.Name("clerkql"),
		kong.Description("A GraphQL authentication API in front of Clerk. Every flag can be set in the environment instead, by the name in parentheses."),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.PostBuild(ignoreEmptyEnvironment),
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	line.Command = parsed.Command()
	var problems error
	switch line.Command {
	case "dev":
		problems = line.Dev.problems()
	case "serve":
		problems = line.Serve.problems()
	case "emulator":
		problems = line.Emulator.problems()
	}
	if problems != nil {
		return nil, problems
	}
	return &line, nil
}

// ignoreEmptyEnvironment has a variable that is set to nothing count as one that is not set, as it comes out of
// compose files and CI.
func ignoreEmptyEnvironment(parser *kong.Kong) error {
	return kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			flag.Tag.Envs = slices.DeleteFunc(flag.Tag.Envs, func(name string) bool {
				value, set := os.LookupEnv(name)
				return set && value == ""
			})
		}
		return next(nil)
	})
}

func (d Dev) problems() error {
	return errors.Join(
		d.HTTP.problems(), d.Log.problems(), d.Flows.problems(),
		checkAddr("EMULATOR_ADDR (--emulator-addr)", d.EmulatorAddr, true),
		d.noProductionKey.problems(),
	)
}

func (e Emulator) problems() error {
	return errors.Join(
		e.Log.problems(),
		checkAddr("EMULATOR_ADDR (--addr)", e.Addr, true),
		e.noProductionKey.problems(),
	)
}

func (h HTTP) problems() error {
	problems := checkAddr("ADDR (--addr)", h.Addr, false)
	if h.ShutdownTimeout <= 0 {
		problems = errors.Join(problems, errors.New("SHUTDOWN_TIMEOUT (--shutdown-timeout) must be more than 0"))
	}
	return problems
}

func (l Log) problems() error {
	if l.LogFormat != "text" && l.LogFormat != "json" {
		return errors.New("LOG_FORMAT (--log-format) must be text or json")
	}
	return nil
}

func (f Flows) problems() error {
	var problems []error
	if !slices.Contains([]string{"auto", "session", "ticket"}, f.SessionMode) {
		problems = append(problems, errors.New("SESSION_MODE (--session-mode) must be auto, session or ticket"))
	}
	if f.ClerkTimeout <= 0 {
		problems = append(problems, errors.New("CLERK_TIMEOUT (--clerk-timeout) must be more than 0"))
	}
	if f.MutationTimeout < f.ClerkTimeout || f.MutationTimeout > maxMutationTimeout {
		problems = append(problems, fmt.Errorf("MUTATION_TIMEOUT (--mutation-timeout) must be from CLERK_TIMEOUT to %v", maxMutationTimeout))
	}
	return errors.Join(problems...)
}

func (s Serve) problems() error {
	problems := []error{s.HTTP.problems(), s.Log.problems(), s.Flows.problems()}
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	switch key := s.ClerkSecretKey.Reveal(); {
	case key == "":
		report("CLERK_SECRET_KEY (--clerk-secret-key) is not set: it is on the API keys page of the Clerk dashboard")
	case !looksLikeSecretKey(key):
		report("CLERK_SECRET_KEY (--clerk-secret-key) must be sk_test_ or sk_live_ and what follows it, without spaces")
	case isProductionKey(s.ClerkSecretKey) && s.SessionMode == "session":
		report("SESSION_MODE (--session-mode) can't be session with an sk_live_ key: Clerk creates no sessions on production instances")
	}
	switch {
	case len(s.HandleKeys) == 0:
		report("HANDLE_KEYS (--handle-keys) is not set: make a key with: openssl rand -hex 32")
	case len(s.HandleKeys) > maxHandleKeys:
		report("HANDLE_KEYS (--handle-keys) has %d keys, and may have %d", len(s.HandleKeys), maxHandleKeys)
	}
	for i, key := range s.HandleKeys {
		if _, err := decodeKey(key); err != nil {
			report("HANDLE_KEYS (--handle-keys): key %d is not 64 hexadecimal digits", i+1)
		}
	}
	if err := checkURL(s.ClerkAPIURL); err != nil {
		report("CLERK_API_URL (--clerk-api-url) %w", err)
	} else if !strings.HasSuffix(strings.TrimRight(s.ClerkAPIURL, "/"), "/v1") {
		report("CLERK_API_URL (--clerk-api-url) must end with the version of the API, /v1")
	}
	if s.ClerkFrontendAPIURL != "" {
		if err := checkURL(s.ClerkFrontendAPIURL); err != nil {
			report("CLERK_FRONTEND_API_URL (--clerk-frontend-api-url) %w", err)
		}
	}
	if s.CodeAttempts < 0 {
		report("CODE_ATTEMPTS (--code-attempts) must not be negative")
	}
	return errors.Join(problems...)
}

// Keys returns the handle keys as bytes. They have been checked by Parse.
func (s Serve) Keys() [][]byte {
	keys := make([][]byte, 0, len(s.HandleKeys))
	for _, text := range s.HandleKeys {
		if key, err := decodeKey(text); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// maxMutationTimeout leaves time to answer: the server gives up on an answer after a minute.
const maxMutationTimeout = 50 * time.Second

const (
	handleKeyBytes = 32
	maxHandleKeys  = 8
)

func decodeKey(text secret.String) ([]byte, error) {
	key, err := hex.DecodeString(strings.TrimSpace(text.Reveal()))
	if err != nil || len(key) != handleKeyBytes {
		return nil, errors.New("not a key")
	}
	return key, nil
}

// checkURL returns an error unless a URL is one to send a secret key to: https, or http on this machine.
func checkURL(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		return errors.New("must be a URL such as https://api.clerk.com/v1")
	}
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())) {
		return errors.New("must begin with https://, or with http:// on this machine")
	}
	return nil
}

// looksLikeSecretKey reports whether text looks like a secret key.
func looksLikeSecretKey(text string) bool {
	body, test := strings.CutPrefix(text, "sk_test_")
	if !test {
		var live bool
		if body, live = strings.CutPrefix(text, "sk_live_"); !live {
			return false
		}
	}
	return body != "" && !strings.ContainsFunc(body, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isProductionKey(key secret.String) bool { return strings.HasPrefix(key.Reveal(), "sk_live_") }

// checkAddr returns an error, which names the setting, unless addr is a host and a port to listen on.
func checkAddr(setting, addr string, loopback bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%s must be a host and a port, such as 127.0.0.1:8080", setting)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s must have a port from 0 to 65535", setting)
	}
	if loopback && !isLoopback(host) {
		return fmt.Errorf("%s must be a loopback address: the embedded Clerk is for this machine only", setting)
	}
	return nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func (k noProductionKey) problems() error {
	if isProductionKey(k.ClerkSecretKey) {
		return errors.New("CLERK_SECRET_KEY is a production key: the embedded Clerk does not run beside one, use serve")
	}
	return nil
}
