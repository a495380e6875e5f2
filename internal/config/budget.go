package config

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/internal/secret"
)

// Budget is so many in a time, written as 10/15m.
type Budget struct {
	Count int
	Per   time.Duration
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Budget) UnmarshalText(text []byte) error {
	count, per, found := strings.Cut(string(text), "/")
	n, countErr := strconv.Atoi(count)
	d, perErr := time.ParseDuration(per)
	if !found || countErr != nil || perErr != nil || n < 1 || n > maxBudget || d < time.Second || d > maxBudgetTime {
		return errors.New("must be a number and a time from 1s to 24h, such as 10/15m")
	}
	*b = Budget{Count: n, Per: d}
	return nil
}

func (l Limits) problems() error {
	if url := l.RedisURL.Reveal(); url != "" {
		if _, err := redis.ParseURL(url); err != nil { // which can repeat the URL
			return errors.New("REDIS_URL (--redis-url) must be like redis://user:password@host:6379/0")
		}
	}
	return nil
}

// Bounds of a budget.
const (
	maxBudget     = 1_000_000
	maxBudgetTime = 24 * time.Hour
)

// Limits is how often things may be done. Each replica counts for itself, unless they share a Redis.
type Limits struct {
	RedisURL                secret.String `name:"redis-url" env:"REDIS_URL" placeholder:"URL" help:"Redis or Valkey in which replicas share what has been done: redis://user:password@host:6379/0, or rediss:// with TLS."`
	LimitRequestsPerIP      Budget        `name:"limit-requests-per-ip" env:"LIMIT_REQUESTS_PER_IP" default:"120/1m" placeholder:"BUDGET" help:"Mutations of one IP address (/64 of IPv6), without those of sessions."`
	LimitRequestsPerSession Budget        `name:"limit-requests-per-session" env:"LIMIT_REQUESTS_PER_SESSION" default:"30/1m" placeholder:"BUDGET" help:"What one session is refreshed, ended and asked for."`
	LimitSignInsPerIP       Budget        `name:"limit-sign-ins-per-ip" env:"LIMIT_SIGN_INS_PER_IP" default:"30/1m" placeholder:"BUDGET" help:"Tries at signIn of one IP address."`
	LimitSignInsPerAddress  Budget        `name:"limit-sign-ins-per-address" env:"LIMIT_SIGN_INS_PER_ADDRESS" default:"10/15m" placeholder:"BUDGET" help:"Tries at signIn with one e-mail address. An IP address that it signed in from before has a budget of its own."`
	LimitSignUpsPerIP       Budget        `name:"limit-sign-ups-per-ip" env:"LIMIT_SIGN_UPS_PER_IP" default:"10/1h" placeholder:"BUDGET" help:"Sign-ups of one IP address."`
	LimitMailsPerIP         Budget        `name:"limit-mails-per-ip" env:"LIMIT_MAILS_PER_IP" default:"20/1h" placeholder:"BUDGET" help:"Mails that one IP address asks for, to whom it may be."`
	LimitMailPause          Budget        `name:"limit-mail-pause" env:"LIMIT_MAIL_PAUSE" default:"1/30s" placeholder:"BUDGET" help:"Mails to one address, in a short time."`
	LimitMailsPerAddress    Budget        `name:"limit-mails-per-address" env:"LIMIT_MAILS_PER_ADDRESS" default:"5/1h" placeholder:"BUDGET" help:"Mails to one address, in a long time."`
	LimitMails              Budget        `name:"limit-mails" env:"LIMIT_MAILS" default:"1000/1h" placeholder:"BUDGET" help:"Mails to all addresses together."`
	LimitCodesPerHandle     Budget        `name:"limit-codes-per-handle" env:"LIMIT_CODES_PER_HANDLE" default:"5/10m" placeholder:"BUDGET" help:"Tries at a mailed code, and at the second factor of a sign-in."`
}
