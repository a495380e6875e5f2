// Command clerkql is a GraphQL authentication API in front of Clerk. See README.md, or run it with --help.
package main

//go:generate go run github.com/99designs/gqlgen generate

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/go-chi/chi/v5"

	"clerkql/graph"
	"clerkql/graph/generated"
	"clerkql/internal/config"
	"clerkql/internal/cookies"
	"clerkql/internal/httpserver"
	"clerkql/internal/middleware"
	"clerkql/internal/playground"
	"clerkql/internal/secret"
	"clerkql/internal/telemetry"
	"clerkql/resolvers"
)

//go:embed schema.graphqls
var schema string

// maxBodyBytes bounds a request body. The longest GraphQL document with its variables takes a few kilobytes.
const maxBodyBytes = 64 << 10

// usageError is a command line or environment that can't be used, one problem per line.
type usageError struct{ error }

// gcPercent is how much garbage may gather before it is collected, in percent of what is in use, which is little: a tenth of the
// CPU time is worth some tens of megabytes. GOGC overrides it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the program at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	for problem := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(os.Stderr, "clerkql:", problem)
	}
	if errors.As(err, &usageError{}) {
		os.Exit(2)
	}
	os.Exit(1)
}

// run does what args say until it is done or ctx ends. Settings that args do not have come from the environment.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	line, err := config.Parse(args, stdout, stderr)
	if err != nil {
		return usageError{err}
	}
	switch line.Command {
	case "dev":
		return dev(ctx, line.Dev, stdout, stderr)
	case "serve":
		return serve(ctx, line.Serve, stderr)
	case "doctor":
		return diagnose(ctx, line.Doctor, stdin, stdout, stderr)
	case "emulator":
		return emulator(ctx, line.Emulator, stdout, stderr)
	case "schema":
		_, err = io.WriteString(stdout, schema)
	case "version":
		fmt.Fprintln(stdout, "clerkql", version())
	}
	return err
}

func serve(ctx context.Context, cfg config.Serve, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	return api{
		clerk:        cfg.Clerk,
		codeAttempts: cfg.CodeAttempts,
		handleKeys:   cfg.Keys(),
		flows:        cfg.Flows,
		limits:       &cfg.Limits,
		redisURL:     cfg.RedisURL,
		open:         cfg.Playground,
	}.serve(ctx, cfg.HTTP, log, func(url string) {
		log.InfoContext(ctx, "serving", slog.String("graphql", url+"/graphql"))
	})
}

// api is what the API is made of.
type api struct {
	clerk        config.Clerk
	codeAttempts int // 0: unknown
	handleKeys   [][]byte
	flows        config.Flows
	limits       *config.Limits // nil: none
	redisURL     secret.String  // empty: nothing is shared
	open         bool           // adds the Playground and introspection
}

// serve wires middleware, GraphQL, resolvers, flows and Clerk, and serves until ctx ends.
func (a api) serve(ctx context.Context, cfg config.HTTP, log *slog.Logger, ready func(url string)) (err error) {
	redis, err := joinReplicas(a.redisURL, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, redis.close()) }()
	counts, err := newCounts(a.limits, a.clerk, clerkRateLimit(a.flows.ClerkRateLimit, a.clerk), redis)
	if err != nil {
		return err
	}
	service, err := a.service(counts, log)
	if err != nil {
		return err
	}
	defer service.Close()
	executable := generated.NewExecutableSchema(generated.Config{
		Resolvers: resolvers.New(service, log), Complexity: resolvers.Complexity(),
	})

	router := chi.NewRouter()
	router.Use(middleware.Stack(middleware.Options{Logger: log, TrustedProxies: cfg.TrustedProxies, MaxBodyBytes: maxBodyBytes})...)
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	router.Method(http.MethodGet, "/readyz", httpserver.Readiness(ctx))
	answers, err := newAnswers(a, redis, counts.limits, log)
	if err != nil {
		return err
	}
	documents, err := newDocuments(redis)
	if err != nil {
		return err
	}
	handler, err := graph.NewHandler(executable, graph.Options{
		Logger: log, Introspection: a.open, MaxMutations: a.flows.MaxMutations,
		SameOrigin: a.flows.SessionCookies, TrustedOrigins: cfg.AllowedOrigins, TrustedDocuments: cfg.TrustedDocuments, Idempotency: answers, Persisted: documents,
	})
	if err != nil {
		return usageError{err}
	}
	if a.flows.SessionCookies {
		handler = cookies.Handler(handler)
	}
	router.Handle("/graphql", middleware.CORS(cfg.AllowedOrigins, a.flows.SessionCookies)(handler))
	if a.open {
		page, err := playground.Handler("ClerkQL", "/graphql")
		if err != nil {
			return err
		}
		router.Method(http.MethodGet, "/", page)
	}
	return httpserver.Run(ctx, httpserver.Options{
		Addr: cfg.Addr, Handler: router, Logger: log, ShutdownDelay: cfg.ShutdownDelay, ShutdownTimeout: cfg.ShutdownTimeout,
	}, ready)
}

// version returns the version that the build recorded.
func version() string {
	info, _ := debug.ReadBuildInfo() // never absent: the program is built from a module
	return info.Main.Version
}
