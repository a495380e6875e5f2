// Package stub is a Clerk that costs next to nothing: a server that knows no users and no rules, and answers the calls of the measured flows
// with bodies of the shape and size of Clerk's. What an id stands for is in the id, so nothing is kept. It counts connections and calls, can be as far away as
// Clerk is, and can hold its answers back.
package stub

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// SecretKey is what the stub is called with. It looks at no key.
	SecretKey = "sk_test_c3R1Yi5jbGVyay5leGFtcGxl"
	// Issuer is the iss of its tokens: one that all of Clerk's SDKs believe.
	Issuer = "https://clerk.example.com"
	// tokenLife is longer than any measurement takes.
	tokenLife = 24 * time.Hour

	maxRequestBytes = 64 << 10
)

// Clerk is the stub. Its zero value is of no use: see New.
type Clerk struct {
	keys  []byte // the JSON Web Key Set
	token string // a session token: the same for everybody, as signing costs more than all the rest

	latency            atomic.Int64 // of an answer, in nanoseconds
	connections, calls atomic.Int64
	held               atomic.Int64

	mu      sync.Mutex
	release chan struct{} // nil: answers are not held back
}

// New returns a stub with a key of its own.
func New() (*Clerk, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: "ins_2zStub", Algorithm: string(jose.RS256), Use: "sig"}
	c := &Clerk{}
	if c.keys, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}); err != nil {
		return nil, err
	}
	c.token, err = signToken(key, time.Now())
	return c, err
}

// signToken makes a session token, with the claims of Clerk's own.
func signToken(key jose.JSONWebKey, now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	suffix := idSuffix("somebody@example.com")
	claims, err := json.Marshal(map[string]any{
		"exp": now.Add(tokenLife).Unix(), "fva": []int{0, -1}, "iat": now.Unix(), "iss": Issuer, "jti": suffix,
		"nbf": now.Add(-10 * time.Second).Unix(), "sid": "sess_" + suffix, "sts": "active", "sub": "user_" + suffix, "v": 2,
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Serve answers as Clerk on one listener, and as what controls the stub on the other, until ctx ends.
func (c *Clerk) Serve(ctx context.Context, clerk, control net.Listener) error {
	servers := map[*http.Server]net.Listener{
		{Handler: c.Handler(), ReadHeaderTimeout: time.Minute, ConnState: c.count}: clerk,
		{Handler: c.control(), ReadHeaderTimeout: time.Minute}:                     control,
	}
	failed := make(chan error, len(servers))
	for server, listener := range servers {
		go func() { failed <- server.Serve(listener) }()
	}
	var err error
	ended := 0
	select {
	case err = <-failed:
		ended++
	case <-ctx.Done():
	}
	for server := range servers {
		server.Close()
	}
	for range len(servers) - ended {
		if closed := <-failed; !errors.Is(closed, http.ErrServerClosed) {
			err = errors.Join(err, closed)
		}
	}
	return err
}

func (c *Clerk) count(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		c.connections.Add(1)
	}
}

// Handler is the part of Clerk's Backend API that the flows need.
func (c *Clerk) Handler() http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, body func(*http.Request) (string, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			c.calls.Add(1)
			text, err := body(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			c.wait(r.Context())
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Clerk-Trace-Id", "3d1f9a0c5b7e4d2f8a6c1e0b9d7f5a3c")
			_, _ = w.Write([]byte(text))
		})
	}
	answer("GET /v1/users", func(r *http.Request) (string, error) {
		return "[" + userBody(r.FormValue("email_address"), verifiedAddress) + "]", nil
	})
	answer("GET /v1/users/count", func(*http.Request) (string, error) { return `{"object":"total_count","total_count":1}`, nil })
	answer("POST /v1/users", func(r *http.Request) (string, error) {
		var created struct {
			EmailAddresses []string `json:"email_address"`
		}
		if err := decode(r, &created); err != nil {
			return "", err
		}
		if len(created.EmailAddresses) != 1 {
			return "", errors.New("one address makes a user")
		}
		return userBody(created.EmailAddresses[0], "null"), nil
	})
	answer("POST /v1/users/{id}/verify_password", func(*http.Request) (string, error) { return `{"verified":true}`, nil })
	answer("POST /v1/email_addresses/{id}/prepare_verification", func(r *http.Request) (string, error) {
		return verificationBody(r.PathValue("id")), nil
	})
	answer("POST /v1/sessions", func(r *http.Request) (string, error) {
		var created struct {
			UserID string `json:"user_id"`
		}
		if err := decode(r, &created); err != nil {
			return "", err
		}
		return sessionBody(created.UserID), nil
	})
	answer("POST /v1/sessions/{id}/tokens", func(*http.Request) (string, error) {
		return fmt.Sprintf(`{"object":"token","jwt":%q}`, c.token), nil
	})
	answer("GET /v1/jwks", func(*http.Request) (string, error) { return string(c.keys), nil })
	answer("GET /v1/domains", func(*http.Request) (string, error) { return domainsBody, nil })
	return mux
}

// wait takes as long as the way to Clerk and back, and until held answers are let go.
func (c *Clerk) wait(ctx context.Context) {
	if latency := time.Duration(c.latency.Load()); latency > 0 {
		time.Sleep(latency)
	}
	c.mu.Lock()
	release := c.release
	c.mu.Unlock()
	if release == nil {
		return
	}
	c.held.Add(1)
	defer c.held.Add(-1)
	select {
	case <-release:
	case <-ctx.Done():
	}
}

func decode(r *http.Request, into any) error {
	return json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxRequestBytes)).Decode(into)
}

// idSuffix returns what the ids of an address and its user end in: as many characters as Clerk's have.
func idSuffix(address string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(strings.ToLower(address)))
	return fmt.Sprintf("2zStub%021x", sum.Sum64())
}
