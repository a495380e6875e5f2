// Package config reads the settings: from the command line, or else from the environment, once, at the start. Settings that
// are secret have a type that can't be printed.
package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
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
	LogFormat string     `env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Form of a log line: ${enum}."`
}

// Flows is how the flows run.
type Flows struct {
	SessionMode       string        `env:"SESSION_MODE" default:"auto" enum:"auto,session,ticket" help:"What a finished sign-in gives: a session with its token, which Clerk allows on development instances only, or a ticket for one of Clerk's SDKs. auto is ticket with an sk_live_ key, else session. One of ${enum}."`
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
	Production bool   `help:"Behave like a production instance."`
	noProductionKey
}

// noProductionKey keeps the embedded Clerk from running where a production key is at hand: it is not meant for there.
type noProductionKey struct {
	ClerkSecretKey secret.String `env:"CLERK_SECRET_KEY" hidden:""`
}

// Parse reads args, without the program's name, and the environment. --help writes to stdout and ends the program. The
// error names every setting that is missing or wrong, one per line.
func Parse(args []string, stdout, stderr io.Writer) (*CommandLine, error) {
	var line CommandLine
	parser, err := kong.New(&line,
		kong.Name("clerkql"),
		kong.Description("A GraphQL authentication API in front of Clerk. Every flag can be set in the environment instead, by the name in parentheses."),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
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
		problems = errors.Join(line.Dev.HTTP.problems(), line.Dev.Flows.problems(), line.Dev.noProductionKey.problems())
	case "serve":
		problems = errors.Join(line.Serve.HTTP.problems(), line.Serve.Flows.problems(), line.Serve.problems())
	case "emulator":
		problems = line.Emulator.problems()
	}
	if problems != nil {
		return nil, problems
	}
	return &line, nil
}

func (h HTTP) problems() error {
	if h.ShutdownTimeout <= 0 {
		return errors.New("SHUTDOWN_TIMEOUT (--shutdown-timeout) must be more than 0")
	}
	return nil
}

func (f Flows) problems() error {
	var problems []error
	if f.ClerkTimeout <= 0 {
		problems = append(problems, errors.New("CLERK_TIMEOUT (--clerk-timeout) must be more than 0"))
	}
	if f.MutationTimeout < f.ClerkTimeout {
		problems = append(problems, errors.New("MUTATION_TIMEOUT (--mutation-timeout) must not be less than CLERK_TIMEOUT"))
	}
	return errors.Join(problems...)
}

func (s Serve) problems() error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	switch key := s.ClerkSecretKey.Reveal(); {
	case key == "":
		report("CLERK_SECRET_KEY (--clerk-secret-key) is not set: it is on the API keys page of the Clerk dashboard")
	case !strings.HasPrefix(key, "sk_test_") && !strings.HasPrefix(key, "sk_live_"):
		report("CLERK_SECRET_KEY (--clerk-secret-key) must begin with sk_test_ or sk_live_")
	}
	if len(s.HandleKeys) == 0 {
		report("HANDLE_KEYS (--handle-keys) is not set: make a key with: openssl rand -hex 32")
	}
	for i, key := range s.HandleKeys {
		if _, err := decodeKey(key); err != nil {
			report("HANDLE_KEYS (--handle-keys): key %d is not 64 hexadecimal digits", i+1)
		}
	}
	if err := checkURL(s.ClerkAPIURL); err != nil {
		report("CLERK_API_URL (--clerk-api-url) %w", err)
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

const handleKeyBytes = 32

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
	host := parsed.Hostname()
	address, err := netip.ParseAddr(host)
	local := host == "localhost" || err == nil && address.IsLoopback()
	if parsed.Scheme != "https" && (parsed.Scheme != "http" || !local) {
		return errors.New("must begin with https://, or with http:// on this machine")
	}
	return nil
}

func (k noProductionKey) problems() error {
	if strings.HasPrefix(k.ClerkSecretKey.Reveal(), "sk_live_") {
		return errors.New("CLERK_SECRET_KEY (--clerk-secret-key) is a production key: the embedded Clerk does not run beside one, use serve")
	}
	return nil
}
