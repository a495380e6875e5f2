package clerkemu

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// DefaultSecretKey is the secret key of an embedded Clerk that was given none.
// It is public knowledge: what protects an embedded Clerk is that it listens
// on the loopback interface only.
const DefaultSecretKey = "sk_test_embedded_clerk_default_key"

// DefaultCodeAttempts is how often a code can be tried unless Options says
// otherwise [I].
const DefaultCodeAttempts = 5

// What Options leaves at zero.
const (
	defaultAddr             = "127.0.0.1:0"
	defaultCodeLife         = 10 * time.Minute
	defaultResendInterval   = 30 * time.Second
	defaultRateDevelopment  = 100
	defaultRateProduction   = 1000
	defaultSignInRate       = 5
	defaultSessionTokenLife = 60 * time.Second
	defaultSessionLife      = 7 * 24 * time.Hour
	defaultLockoutDuration  = time.Hour
	defaultMaxUsers         = 2_000_000
	defaultMailboxSize      = 1000
)

// Options configures a Server. The zero value is a development instance with
// Clerk's own limits. Figures marked [I] are inferred: Clerk does not publish
// them, which is why they can be changed.
type Options struct {
	// Addr is the address to listen on: a loopback address (127.0.0.0/8,
	// ::1 or localhost) with a port. Default "127.0.0.1:0", a free port.
	Addr string
	// SecretKey is the key that clients must present. Default
	// DefaultSecretKey. A live key (sk_live_...) is refused by New.
	SecretKey string
	// SigningKey signs session and sign-in tokens. Default: a new 2048-bit
	// key for each Server. Tests that start many servers can share one.
	SigningKey *rsa.PrivateKey
	// Production emulates a production instance: POST /sessions is refused,
	// the rate limit is the production one, test addresses are off.
	Production bool
	// TestMode says whether "+clerk_test" addresses get no mail and accept
	// the code 424242. Default: on in development, off in production.
	TestMode *bool
	// BcryptCost is the cost of password hashes. Default bcrypt.DefaultCost.
	BcryptCost int
	// CodeLife is how long a mailed code is good for. Default 10 minutes [I].
	CodeLife time.Duration
	// CodeAttempts is how many wrong codes fail a verification. Default 5 [I].
	CodeAttempts int
	// ResendInterval is the shortest time between two codes to one address,
	// unless the first has been accepted meanwhile [I].
	// Default 30 seconds; negative turns the check off.
	ResendInterval time.Duration
	// RateLimit is how many Backend API calls are served in 10 seconds.
	// Default 100 in development and 1000 in production; negative turns all
	// rate limits of the Backend API off. The JWKS is exempt.
	RateLimit int
	// SignInRateLimit is how many sign-ins one IP address may begin with the
	// Frontend API in 10 seconds. Default 5; negative turns the limit off.
	SignInRateLimit int
	// NativeAPI says whether the Frontend API serves native clients, the only
	// ones that are emulated. When it is off, they are answered
	// native_api_disabled. Default on.
	NativeAPI *bool
	// ProxyURL is where a proxy of the Frontend API is reached, such as
	// "https://app.example/__clerk": it becomes the issuer of session tokens,
	// and the Frontend API serves nobody but that proxy. It needs Production,
	// as with Clerk. Default: no proxy.
	ProxyURL string
	// SessionTokenLife is the life of a session token. Default 60 seconds.
	SessionTokenLife time.Duration
	// SessionLife is the life of a session. Default 7 days [I].
	SessionLife time.Duration
	// LockoutEnabled says whether the instance has user lockout. When it is
	// off, locking a user answers feature_not_enabled. Default on.
	LockoutEnabled *bool
	// LockoutDuration is how long a locked user stays locked. Default 1 hour;
	// negative means until unlocked.
	LockoutDuration time.Duration
	// MaxUsers bounds the number of users; beyond it user_quota_exceeded is
	// answered. Default 2,000,000.
	MaxUsers int
	// MailboxSize is how many messages are kept, the newest ones. Default 1000.
	MailboxSize int
	// Now tells the time. Default time.Now. FastForward adds to it.
	Now func() time.Time
	// Logger receives the start-up warning and, at debug level, one line for
	// each call. Passwords, codes, tokens and addresses are never logged.
	// Default: nothing is logged.
	Logger *slog.Logger
}

// complete returns the options with every default filled in, or all that is
// wrong with them.
func (o Options) complete() (Options, error) {
	setDefault(&o.Addr, defaultAddr)
	setDefault(&o.SecretKey, DefaultSecretKey)
	setDefault(&o.BcryptCost, bcrypt.DefaultCost)
	setDefault(&o.CodeLife, defaultCodeLife)
	setDefault(&o.CodeAttempts, DefaultCodeAttempts)
	setDefault(&o.ResendInterval, defaultResendInterval)
	setDefault(&o.SessionTokenLife, defaultSessionTokenLife)
	setDefault(&o.SessionLife, defaultSessionLife)
	setDefault(&o.LockoutDuration, defaultLockoutDuration)
	setDefault(&o.MaxUsers, defaultMaxUsers)
	setDefault(&o.MailboxSize, defaultMailboxSize)
	if o.Production {
		setDefault(&o.RateLimit, defaultRateProduction)
	} else {
		setDefault(&o.RateLimit, defaultRateDevelopment)
	}
	setDefault(&o.SignInRateLimit, defaultSignInRate)
	if o.NativeAPI == nil {
		on := true
		o.NativeAPI = &on
	}
	if o.TestMode == nil {
		on := !o.Production
		o.TestMode = &on
	}
	if o.LockoutEnabled == nil {
		on := true
		o.LockoutEnabled = &on
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, o.validate()
}

func (o Options) validate() error {
	var problems []error
	if err := checkLoopbackAddr(o.Addr); err != nil {
		problems = append(problems, err)
	}
	if strings.HasPrefix(o.SecretKey, "sk_live_") {
		problems = append(problems, errors.New("SecretKey is a live key: the embedded Clerk must never hold one"))
	}
	if err := o.checkProxyURL(); err != nil {
		problems = append(problems, err)
	}
	if o.BcryptCost < bcrypt.MinCost || o.BcryptCost > bcrypt.MaxCost {
		problems = append(problems, fmt.Errorf("BcryptCost must be between %d and %d", bcrypt.MinCost, bcrypt.MaxCost))
	}
	for name, positive := range map[string]bool{
		"CodeLife":         o.CodeLife > 0,
		"CodeAttempts":     o.CodeAttempts > 0,
		"SessionTokenLife": o.SessionTokenLife > 0,
		"SessionLife":      o.SessionLife > 0,
		"MaxUsers":         o.MaxUsers > 0,
		"MailboxSize":      o.MailboxSize > 0,
	} {
		if !positive {
			problems = append(problems, fmt.Errorf("%s must be positive", name))
		}
	}
	return errors.Join(problems...)
}

// checkProxyURL refuses what Clerk would not take for a proxy URL.
func (o Options) checkProxyURL() error {
	if o.ProxyURL == "" {
		return nil
	}
	if !o.Production {
		return errors.New("ProxyURL needs Production: Clerk does not proxy development instances")
	}
	u, err := url.Parse(o.ProxyURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(o.ProxyURL, "/") {
		return errors.New("ProxyURL must be an absolute http or https URL, without a slash at its end")
	}
	return nil
}

// checkLoopbackAddr refuses every listen address that is not on the loopback
// interface by its very text. Start checks once more what it got.
func checkLoopbackAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("option Addr: %w", err)
	}
	if !isLoopbackHost(host) {
		return fmt.Errorf("option Addr: %q is not a loopback address", addr)
	}
	return nil
}

// isLoopbackHost tells whether a host, without port, names this machine only.
func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
