package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"clerkql/internal/secret"
)

func (d Dev) problems() error {
	return errors.Join(
		d.HTTP.problems(), d.Log.problems(), d.Flows.problems(), d.Limits.problems(),
		checkAddr("EMULATOR_ADDR (--emulator-addr)", d.EmulatorAddr, true),
		d.fit(d.EmulatorProduction), d.cookiesFit(d.EmulatorProduction),
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
	for i, origin := range h.AllowedOrigins {
		if err := checkOrigin(origin); err != nil {
			problems = errors.Join(problems, fmt.Errorf("ALLOWED_ORIGINS (--allowed-origins): origin %d %w", i+1, err))
		}
	}
	if h.ShutdownDelay < 0 || h.ShutdownDelay > maxShutdownDelay {
		problems = errors.Join(problems, fmt.Errorf("SHUTDOWN_DELAY (--shutdown-delay) must be from 0s to %v", maxShutdownDelay))
	}
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

func (u ClerkUse) problems() error {
	var problems []error
	if !slices.Contains([]string{"auto", "session", "ticket", "exchange"}, u.SessionMode) {
		problems = append(problems, errors.New("SESSION_MODE (--session-mode) must be auto, session, ticket or exchange"))
	}
	if u.ClerkTimeout <= 0 {
		problems = append(problems, errors.New("CLERK_TIMEOUT (--clerk-timeout) must be more than 0"))
	}
	return errors.Join(problems...)
}

func (p Passwords) problems() error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if p.PasswordMinLength < 8 || p.PasswordMinLength > maxPasswordCharacters {
		report("PASSWORD_MIN_LENGTH (--password-min-length) must be from 8 to %d", maxPasswordCharacters)
	}
	if p.PasswordMaxLength < p.PasswordMinLength || p.PasswordMaxLength > maxPasswordCharacters {
		report("PASSWORD_MAX_LENGTH (--password-max-length) must be from PASSWORD_MIN_LENGTH to %d", maxPasswordCharacters)
	}
	if p.PasswordMinStrength < 0 || p.PasswordMinStrength > 4 {
		report("PASSWORD_MIN_STRENGTH (--password-min-strength) must be from 0 to 4")
	}
	if len(p.PasswordForbiddenWords) > maxForbiddenWords {
		report("PASSWORD_FORBIDDEN_WORDS (--password-forbidden-words) has %d words, and may have %d", len(p.PasswordForbiddenWords), maxForbiddenWords)
	}
	for i, word := range p.PasswordForbiddenWords {
		if utf8.RuneCountInString(word) < 4 || word != strings.TrimSpace(word) {
			report("PASSWORD_FORBIDDEN_WORDS (--password-forbidden-words): word %d must have four characters or more, and no space around it", i+1)
		}
	}
	return errors.Join(problems...)
}

func (f Flows) problems() error {
	problems := []error{f.ClerkUse.problems(), f.Passwords.problems()}
	if f.ClerkRateLimit.Count > 0 && f.ClerkRateLimit.Count < minClerkRateLimit {
		problems = append(problems, fmt.Errorf("CLERK_RATE_LIMIT (--clerk-rate-limit) must be %d calls or more", minClerkRateLimit))
	}
	if f.ClerkConcurrency < 1 || f.ClerkConcurrency > maxClerkConcurrency {
		problems = append(problems, fmt.Errorf("CLERK_CONCURRENCY (--clerk-concurrency) must be from 1 to %d", maxClerkConcurrency))
	}
	if f.SignUpDisclosure != "open" && f.SignUpDisclosure != "strict" {
		problems = append(problems, errors.New("SIGN_UP_DISCLOSURE (--sign-up-disclosure) must be open or strict"))
	}
	if f.NewDeviceCheck != "off" && f.NewDeviceCheck != "email_code" {
		problems = append(problems, errors.New("NEW_DEVICE_CHECK (--new-device-check) must be off or email_code"))
	}
	if f.TicketLife < 10*time.Second || f.TicketLife > 10*time.Minute {
		problems = append(problems, errors.New("TICKET_LIFE (--ticket-life) must be from 10s to 10m"))
	}
	if f.AnswerFloor < 0 || f.AnswerFloor > 2*time.Second {
		problems = append(problems, errors.New("ANSWER_FLOOR (--answer-floor) must be from 0s to 2s"))
	}
	if f.MutationTimeout < f.ClerkTimeout || f.MutationTimeout > maxMutationTimeout {
		problems = append(problems, fmt.Errorf("MUTATION_TIMEOUT (--mutation-timeout) must be from CLERK_TIMEOUT to %v", maxMutationTimeout))
	}
	switch {
	case f.MaxMutations < 1 || f.MaxMutations > maxMutations:
		problems = append(problems, fmt.Errorf("MAX_MUTATIONS (--max-mutations) must be from 1 to %d", maxMutations))
	case f.MaxMutations > 1 && f.MutationTimeout > maxMutationTimeout/time.Duration(f.MaxMutations):
		problems = append(problems, fmt.Errorf("MAX_MUTATIONS (--max-mutations) times MUTATION_TIMEOUT must be %v at most", maxMutationTimeout))
	}
	return errors.Join(problems...)
}

func (s Serve) problems() error {
	problems := []error{
		s.HTTP.problems(), s.Log.problems(), s.Flows.problems(), s.Limits.problems(), s.Clerk.problems(),
		s.fitTo(s.Clerk), s.cookiesFit(isProductionKey(s.ClerkSecretKey)),
	}
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

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
	if s.CodeAttempts < 0 {
		report("CODE_ATTEMPTS (--code-attempts) must not be negative")
	}
	return errors.Join(problems...)
}

func (d Doctor) problems() error {
	problems := errors.Join(d.Clerk.problems(), d.ClerkUse.problems(), d.fitTo(d.Clerk))
	if address := d.EmailAddress.Reveal(); address != "" {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			problems = errors.Join(problems, errors.New("DOCTOR_EMAIL (--email) must be an e-mail address, such as you@example.com"))
		}
	}
	return problems
}

func (c Clerk) problems() error {
	var problems []error
	report := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	switch key := c.ClerkSecretKey.Reveal(); {
	case key == "":
		report("CLERK_SECRET_KEY (--clerk-secret-key) is not set: it is on the API keys page of the Clerk dashboard")
	case !looksLikeSecretKey(key):
		report("CLERK_SECRET_KEY (--clerk-secret-key) must be sk_test_ or sk_live_ and what follows it, without spaces")
	}
	if err := checkURL(c.ClerkAPIURL); err != nil {
		report("CLERK_API_URL (--clerk-api-url) %w", err)
	} else if !strings.HasSuffix(strings.TrimRight(c.ClerkAPIURL, "/"), "/v1") {
		report("CLERK_API_URL (--clerk-api-url) must end with the version of the API, /v1")
	}
	if c.ClerkFrontendAPIURL != "" {
		if err := checkURL(c.ClerkFrontendAPIURL); err != nil {
			report("CLERK_FRONTEND_API_URL (--clerk-frontend-api-url) %w", err)
		}
	}
	if c.ClerkProxyURL != "" {
		if err := checkURL(c.ClerkProxyURL); err != nil {
			report("CLERK_PROXY_URL (--clerk-proxy-url) %w", err)
		}
		if frontend, err := url.Parse(c.ClerkFrontendAPIURL); err == nil && frontend.Host != "" && !isLoopback(frontend.Hostname()) {
			report("CLERK_FRONTEND_API_URL (--clerk-frontend-api-url) can't be set beside CLERK_PROXY_URL: what comes through a proxy, Clerk takes at frontend-api.clerk.dev")
		}
	}
	return errors.Join(problems...)
}

// fit returns an error unless the session mode works with a Clerk instance of this kind.
func (u ClerkUse) fit(production bool) error {
	if production && u.SessionMode == "session" {
		return errors.New("SESSION_MODE (--session-mode) can't be session with a production instance: Clerk creates no sessions on them")
	}
	return nil
}

// cookiesFit returns an error if there would be no sessions to keep in cookies.
func (f Flows) cookiesFit(production bool) error {
	if f.SessionCookies && (f.SessionMode == "ticket" || production && f.SessionMode == "auto") {
		return errors.New("SESSION_COOKIES (--session-cookies) needs SESSION_MODE session or exchange: what comes of a ticket, one of Clerk's SDKs keeps")
	}
	return nil
}

// fitTo returns an error unless the session mode works with this Clerk instance, and enough is known of it.
func (u ClerkUse) fitTo(clerk Clerk) error {
	problems := u.fit(clerk.ProductionKey())
	if u.SessionMode == "exchange" && clerk.ClerkFrontendAPIURL == "" && clerk.ClerkProxyURL == "" {
		problems = errors.Join(problems, errors.New("SESSION_MODE (--session-mode) exchange needs CLERK_FRONTEND_API_URL, which is on the API keys page of the Clerk dashboard, or CLERK_PROXY_URL"))
	}
	return problems
}

// maxShutdownDelay is longer than any load balancer takes to see that a replica drains.
const maxShutdownDelay = 5 * time.Minute

// maxMutationTimeout leaves time to answer: the server gives up on an answer after a minute.
const maxMutationTimeout = 50 * time.Second

// maxMutations keeps passwords from being tried by the dozen in one request.
const maxMutations = 5

const (
	maxPasswordCharacters = 72 // as many as Clerk has hashed
	maxForbiddenWords     = 100
)

const (
	minClerkRateLimit   = 25 // no fewer can be shared out
	maxClerkConcurrency = 10_000
)

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

// checkOrigin returns an error unless text is an origin as browsers write it, whose pages nobody can change on their way.
func checkOrigin(text string) error {
	parsed, err := url.Parse(text)
	switch {
	case strings.Contains(text, "*"):
		return errors.New("must be one origin: there are no wildcards")
	case err != nil || parsed.Hostname() == "" || text != parsed.Scheme+"://"+parsed.Host || text != strings.ToLower(text) ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("must be a scheme and a host in lower case, such as https://app.example.com, and nothing after them")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())):
		return errors.New("must begin with https://, or with http:// on this machine")
	case strings.HasSuffix(text, ":") || parsed.Port() == map[string]string{"https": "443", "http": "80"}[parsed.Scheme] && parsed.Port() != "":
		return errors.New("must not have the scheme's own port: browsers leave it out")
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
