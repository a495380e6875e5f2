package clerkemu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of the listening server. The timeouts are generous, because latency
// may be injected, but no connection may stay half-open for ever.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * maxFaultLatency
	// From the end of the headers: reading the body, the latency, and as much
	// again for the work and the answer.
	writeTimeout   = readTimeout + 2*maxFaultLatency
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
)

// Server is one embedded Clerk instance: its users, its sessions, its keys
// and its mailbox, all in memory. Make one with New or RunT. All methods may
// be called concurrently.
type Server struct {
	opts    Options
	clock   *clock
	signer  *signer
	store   *store
	mail    *mailbox
	calls   *callLog
	faults  *faultList
	limiter *limiter
	signIns *ipLimiter
	handler http.Handler

	mu       sync.Mutex // guards what follows
	baseURL  string
	http     *http.Server
	served   chan struct{} // closed when Serve has returned
	closed   bool
	inflight sync.WaitGroup

	closing chan struct{} // closed by Close: ends injected latency
}

// New makes an embedded Clerk that does not listen yet: call Start, or mount
// Handler. It fails when an option could expose the instance (an address that
// is not loopback, a live secret key) or makes no sense.
func New(opts Options) (*Server, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("clerkemu: %w", err)
	}
	signer, err := newSigner(opts.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("clerkemu: %w", err)
	}
	mail, err := newMailbox(opts.MailboxSize)
	if err != nil {
		return nil, fmt.Errorf("clerkemu: %w", err)
	}
	s := &Server{
		opts:    opts,
		clock:   &clock{now: opts.Now},
		signer:  signer,
		store:   newStore(opts.MaxUsers),
		mail:    mail,
		calls:   &callLog{},
		faults:  &faultList{},
		limiter: &limiter{limit: opts.RateLimit},
		signIns: &ipLimiter{limit: opts.SignInRateLimit},
		baseURL: "http://" + opts.Addr,
		closing: make(chan struct{}),
	}
	s.handler = s.track(s.routes())
	return s, nil
}

// Handler serves the whole instance: the Backend API under /v1, the mailbox
// under /mailbox and the control API under /control.
func (s *Server) Handler() http.Handler { return s.handler }

// Start listens and serves until Close or Shutdown. It can be called once.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.http != nil {
		return errors.New("clerkemu: already started or closed")
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.opts.Addr)
	if err != nil {
		return fmt.Errorf("clerkemu: %w", err)
	}
	// "localhost" is whatever the resolver says it is.
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return errors.Join(
			fmt.Errorf("clerkemu: %s resolves to %s, which is not a loopback address", s.opts.Addr, listener.Addr()),
			listener.Close())
	}
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	s.baseURL = "http://" + listener.Addr().String()
	s.http = server
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.opts.Logger.Error("embedded Clerk stopped serving", "error", err)
		}
	}()
	s.opts.Logger.Warn("embedded Clerk: not for production. Users live in memory, mail goes to the mailbox page",
		"url", s.baseURL, "mailbox", s.baseURL+mailboxPath)
	return nil
}

// Close stops serving at once and waits until every request has ended. It is
// safe to call it more than once, or without Start.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	server, served := s.http, s.served
	s.mu.Unlock()

	var err error
	if server != nil {
		err = server.Close()
		<-served
	}
	s.inflight.Wait()
	return err
}

// Shutdown stops accepting connections, lets running requests end until ctx is
// done, and then closes like Close.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	server := s.http
	s.mu.Unlock()

	var err error
	if server != nil {
		err = server.Shutdown(ctx)
	}
	return errors.Join(err, s.Close())
}

// track counts the requests that are being served, so that Close can wait for
// them, and turns away those that come after it.
func (s *Server) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			http.Error(w, "the embedded Clerk is closed", http.StatusServiceUnavailable)
			return
		}
		defer s.inflight.Done()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.inflight.Add(1)
	return true
}

// URL is where the instance listens, such as "http://127.0.0.1:45678". Before
// Start it is made from Options.Addr.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.baseURL
}

// APIURL is the root of the Backend API, what an SDK takes for
// https://api.clerk.com/v1.
func (s *Server) APIURL() string { return s.URL() + apiPath }

// SecretKey is the key that clients must present.
func (s *Server) SecretKey() string { return s.opts.SecretKey }

// FrontendAPIURL is the root of the Frontend API, what ListDomains (GET
// /domains) reports. It equals URL.
func (s *Server) FrontendAPIURL() string { return s.URL() }

// Issuer is the "iss" claim of session tokens: Options.ProxyURL, or
// FrontendAPIURL when there is none.
func (s *Server) Issuer() string {
	if s.opts.ProxyURL != "" {
		return s.opts.ProxyURL
	}
	return s.FrontendAPIURL()
}

// FastForward moves the clock of the instance by d. Codes, sessions, lockouts
// and rate limits age by it. It panics when the clock would be more than ten
// years from where it began: a test that asks for it is wrong.
func (s *Server) FastForward(d time.Duration) {
	if err := s.clock.advance(d); err != nil {
		panic(err)
	}
}
