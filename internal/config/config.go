// Package config reads the settings: from the command line, or else from the environment, once, at the start. Settings that
// are secret have a type that can't be printed.
package config

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"clerkql/internal/secret"
)

// CommandLine has the commands. Command names the one that was given.
type CommandLine struct {
	Dev      Dev      `cmd:"" help:"Run the API with an embedded Clerk, a Playground and a mailbox. Nothing else is needed."`
	Serve    Serve    `cmd:"" help:"Run the API in front of a Clerk instance."`
	Doctor   Doctor   `cmd:"" help:"Check that a Clerk instance does what the API needs of it. Asks before it creates anything, and removes it again."`
	Emulator Emulator `cmd:"" help:"Run the embedded Clerk alone."`
	Schema   struct{} `cmd:"" help:"Print the GraphQL schema."`
	Version  struct{} `cmd:"" help:"Print the version."`

	// Command is the name of the command that was given.
	Command string `kong:"-"`
}

// HTTP is how the API is served.
type HTTP struct {
	Addr             string         `env:"ADDR" default:"127.0.0.1:8080" help:"Address that the API listens on."`
	TrustedProxies   []netip.Prefix `env:"TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. None: the client is whoever connects."`
	AllowedOrigins   []string       `env:"ALLOWED_ORIGINS" placeholder:"ORIGIN" help:"Origins whose pages may call the API, such as https://app.example.com. None: those of its own origin only."`
	TrustedDocuments Documents      `env:"TRUSTED_DOCUMENTS" placeholder:"PATH" help:"JSON file of the only GraphQL documents that run, by the SHA-256 of their text. Clients send the text, or the hash as Apollo's persisted queries do. None: every document runs."`
	ShutdownDelay    time.Duration  `env:"SHUTDOWN_DELAY" default:"0s" help:"How long requests are still served after SIGTERM, while /readyz answers 503, so that a load balancer can take this replica out first. Up to 5m."`
	ShutdownTimeout  time.Duration  `env:"SHUTDOWN_TIMEOUT" default:"30s" help:"How long requests under way may take to finish at a shutdown."`
}

// Log is what is logged, to standard error.
type Log struct {
	LogLevel  slog.Level `env:"LOG_LEVEL" default:"info" help:"Least level that is logged: debug, info, warn or error."`
	LogFormat string     `env:"LOG_FORMAT" default:"text" help:"Form of a log line: text or json."`
}

// ClerkUse is how Clerk is used.
type ClerkUse struct {
	SessionMode  string        `env:"SESSION_MODE" default:"auto" help:"What a finished sign-in gives. session: a session with its token, which Clerk allows on development instances only. ticket: a ticket for one of Clerk's SDKs. exchange: a session with its token, for a ticket that the server redeems itself. auto is ticket with an sk_live_ key, else session."`
	ClerkTimeout time.Duration `env:"CLERK_TIMEOUT" default:"5s" help:"Longest that one call to Clerk may take."`
}

// Passwords is what new passwords must be like, besides what Clerk asks of them.
type Passwords struct {
	PasswordMinLength      int      `env:"PASSWORD_MIN_LENGTH" default:"8" help:"Fewest characters of a new password, from 8 to 72."`
	PasswordMaxLength      int      `env:"PASSWORD_MAX_LENGTH" default:"72" help:"Most characters of a new password, up to 72."`
	PasswordMinStrength    int      `env:"PASSWORD_MIN_STRENGTH" default:"2" help:"How hard to guess a new password must be, as zxcvbn's score of its first 16 characters: from 0, which lets all pass, to 4."`
	PasswordForbiddenWords []string `env:"PASSWORD_FORBIDDEN_WORDS" placeholder:"WORD" help:"Words that no new password may have in it, such as the product's name. Of four characters or more."`
}

// Flows is how the flows run.
type Flows struct {
	ClerkUse
	Passwords
	ClerkRateLimit    Budget        `env:"CLERK_RATE_LIMIT" placeholder:"BUDGET" help:"Calls that Clerk allows the instance, such as 1000/10s, or the part of them that is for this server and its replicas. Default: 1000/10s with an sk_live_ key, else 100/10s."`
	ClerkConcurrency  uint          `env:"CLERK_CONCURRENCY" default:"256" help:"How many mutations may be calling Clerk at a time."`
	SessionCookies    bool          `env:"SESSION_COOKIES" help:"Keep session, refresh and device tokens in cookies of the browser, not in answers. Then only pages of the same origin, and of ALLOWED_ORIGINS, can run mutations."`
	TicketLife        time.Duration `env:"TICKET_LIFE" default:"1m" help:"How long a ticket can be redeemed, from 10s to 10m."`
	AnswerFloor       time.Duration `env:"ANSWER_FLOOR" default:"500ms" help:"How long an answer that must not tell whether an account exists takes at least. If Clerk makes such answers take longer, the server learns that, up to 2s."`
	SignUpDisclosure  string        `env:"SIGN_UP_DISCLOSURE" default:"open" help:"Whether signUp tells that an address has an account: open, which does, or strict, which answers as if a code were on its way."`
	NewDeviceCheck    string        `env:"NEW_DEVICE_CHECK" default:"off" help:"What a sign-in with a password asks for on a new device, of accounts without a second factor: off or email_code."`
	AuthorizedParties []string      `env:"AUTHORIZED_PARTIES" placeholder:"ORIGIN" help:"Origins that the azp of a session token may name. None: every origin."`
	MutationTimeout   time.Duration `env:"MUTATION_TIMEOUT" default:"20s" help:"Longest that one mutation may take, with all its calls to Clerk."`
	MaxMutations      int           `env:"MAX_MUTATIONS" default:"1" help:"How many mutations one request may run, from 1 to 5. All of them together have 50s."`
}

// Dev is the command dev.
type Dev struct {
	HTTP
	Log
	Flows
	Limits
	RateLimits         string `env:"RATE_LIMITS" default:"on" enum:"on,off" help:"Whether there are limits on how often things may be done: on or off."`
	EmulatorAddr       string `env:"EMULATOR_ADDR" default:"127.0.0.1:8090" help:"Loopback address that the embedded Clerk listens on."`
	EmulatorProduction bool   `env:"EMULATOR_PRODUCTION" help:"Have the embedded Clerk behave like a production instance."`
	noProductionKey
}

// Clerk is which Clerk instance to call.
type Clerk struct {
	ClerkSecretKey      secret.String `env:"CLERK_SECRET_KEY" placeholder:"sk_..." help:"Secret key of the Clerk instance. Required. Better set in the environment: a process list shows flags."`
	ClerkAPIURL         string        `name:"clerk-api-url" env:"CLERK_API_URL" default:"https://api.clerk.com/v1" help:"Clerk's Backend API."`
	ClerkFrontendAPIURL string        `name:"clerk-frontend-api-url" env:"CLERK_FRONTEND_API_URL" placeholder:"URL" help:"The instance's Frontend API, which is the issuer of its session tokens. Clerk is asked when it is not set."`
	ClerkProxyURL       string        `name:"clerk-proxy-url" env:"CLERK_PROXY_URL" placeholder:"URL" help:"The proxy in front of the Frontend API, if the instance is set up with one. It is the issuer then, and session mode exchange tells Clerk the client's IP."`
}

// ProductionKey reports whether the secret key says that it is a production instance's.
func (c Clerk) ProductionKey() bool { return isProductionKey(c.ClerkSecretKey) }

// Serve is the command serve.
type Serve struct {
	HTTP
	Log
	Flows
	Limits
	Clerk
	HandleKeys   []secret.String `env:"HANDLE_KEYS" placeholder:"HEX" help:"Keys of 64 hexadecimal digits that seal the handles (make one with: openssl rand -hex 32). The first seals, all open. Required. Better set in the environment."`
	CodeAttempts int             `env:"CODE_ATTEMPTS" default:"0" help:"How many times the instance lets a mailed code be tried, if you know. It is told as attemptsRemaining."`
	Playground   bool            `env:"PLAYGROUND" help:"Serve the Playground at / and let clients ask for the schema."`
}

// Doctor is the command doctor.
type Doctor struct {
	Clerk
	ClerkUse
	Yes          bool          `env:"DOCTOR_YES" help:"Do not ask before something is created."`
	EmailAddress secret.String `name:"email" env:"DOCTOR_EMAIL" placeholder:"ADDRESS" help:"Address for the user that is created, which is mailed a code. Nobody may have it yet. Without it, a development instance gets a test address, and a production instance is not made to send a code."`
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
	case "doctor":
		problems = line.Doctor.problems()
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
