// Package sharedredis connects to the Redis that replicas share, if they share one, and knows while it is away. Whoever keeps something there asks
// through one Outage, so that an outage that one of them met is not met again by each of the others.
package sharedredis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// connections bounds the connections of one process. A call holds one for well under a millisecond.
const connections = 32

// Conn is a Redis (5 or newer) or Valkey, by a pool of connections.
type Conn struct {
	Client  *redis.Client
	timeout time.Duration
}

// Connect returns a Conn to a URL: redis://, rediss:// (TLS) or unix://. It connects at the first call, which like all others must end
// within timeout. The error does not repeat the URL, which may have a password. go-redis's own logger, of which there is one in a
// process, is switched off: every error is returned. It allocates what the server announces, so the server must be one to trust, and TLS
// be used on a network that is not.
func Connect(url string, timeout time.Duration) (*Conn, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("sharedredis: the URL of Redis is not like redis://user:password@host:6379/0")
	}
	logging.Disable()
	options.ContextTimeoutEnabled = true
	options.DialTimeout = timeout // go-redis dials in the background, where no context reaches
	options.PoolSize = connections
	// Nothing is tried twice: what was not answered may have been done.
	options.MaxRetries, options.DialerRetries = -1, 1
	// Nothing is said to the server that it does not need to know.
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Conn{Client: redis.NewClient(options), timeout: timeout}, nil
}

// Close closes the connections.
func (c *Conn) Close() error { return c.Client.Close() }

// Bound returns the context of one call. Canceling ctx does not cut it short: a client that goes away must not look like a Redis that did.
func (c *Conn) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
}
