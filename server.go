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
	"time"

	"github.com/99designs/gqlgen/graphql/playground"
	"github.com/go-chi/chi/v5"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/graph"
	"clerkql/graph/generated"
	"clerkql/internal/config"
	"clerkql/internal/httpserver"
	"clerkql/internal/middleware"
	"clerkql/internal/seal"
	"clerkql/internal/secret"
	"clerkql/internal/telemetry"
	"clerkql/resolvers"
)

//go:embed schema.graphqls
var schema string

// devBanner is what dev prints, with the URLs of the API and of the embedded Clerk.
//
//go:embed web/dev.txt
var devBanner string

// maxBodyBytes bounds a request body. The longest GraphQL document with its variables takes a few kilobytes.
const maxBodyBytes = 64 << 10

// errUsage is a command line or environment that can't be used.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one ends the program at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "clerkql:", err)
		os.Exit(1)
	}
}

// run does what args say until it is done or ctx ends. Settings that args do not have come from the environment.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	line, err := config.Parse(args, stdout, stderr)
	if err != nil {
		for problem := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "clerkql:", problem)
		}
		return errUsage
	}
	switch line.Command {
	case "dev":
		return dev(ctx, line.Dev, stdout, stderr)
	case "serve":
		return serve(ctx, line.Serve, stderr)
	case "emulator":
		return emulator(ctx, line.Emulator, stdout, stderr)
	case "schema":
		_, err = io.WriteString(stdout, schema)
	case "version":
		fmt.Fprintln(stdout, "clerkql", version())
	}
	return err
}

func dev(ctx context.Context, cfg config.Dev, stdout, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	clerk, err := startClerk(clerkemu.Options{Addr: cfg.EmulatorAddr, Logger: log})
	if err != nil {
		return err
	}
	log.WarnContext(ctx, "handles are sealed with a random key: they stop working when this process ends")
	err = api{
		clerkURL:     clerk.APIURL(),
		secretKey:    secret.New(clerk.SecretKey()),
		issuer:       clerk.Issuer(),
		codeAttempts: clerkemu.DefaultCodeAttempts,
		handleKeys:   [][]byte{seal.RandomKey()},
		flows:        cfg.Flows,
		open:         true,
	}.serve(ctx, cfg.HTTP, log, func(url string) {
		fmt.Fprintf(stdout, devBanner, url, clerk.URL())
	})
	return errors.Join(err, clerk.Close())
}

func serve(ctx context.Context, cfg config.Serve, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	return api{
		clerkURL:     cfg.ClerkAPIURL,
		secretKey:    cfg.ClerkSecretKey,
		issuer:       strings.TrimRight(cfg.ClerkFrontendAPIURL, "/"),
		codeAttempts: cfg.CodeAttempts,
		handleKeys:   cfg.Keys(),
		flows:        cfg.Flows,
		open:         cfg.Playground,
	}.serve(ctx, cfg.HTTP, log, func(url string) {
		log.InfoContext(ctx, "serving", slog.String("graphql", url+"/graphql"))
	})
}

func emulator(ctx context.Context, cfg config.Emulator, stdout, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	clerk, err := startClerk(clerkemu.Options{Addr: cfg.Addr, Production: cfg.Production, Logger: log})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "CLERK_API_URL=%s\nCLERK_SECRET_KEY=%s\nMailbox: %s/mailbox\n", clerk.APIURL(), clerk.SecretKey(), clerk.URL())
	<-ctx.Done()
	return clerk.Close()
}

func startClerk(opts clerkemu.Options) (*clerkemu.Server, error) {
	clerk, err := clerkemu.New(opts)
	if err != nil {
		return nil, err
	}
	return clerk, clerk.Start()
}

// api is what the API is made of.
type api struct {
	clerkURL     string
	secretKey    secret.String
	issuer       string // empty: Clerk is asked
	codeAttempts int    // 0: unknown
	handleKeys   [][]byte
	flows        config.Flows
	open         bool // adds the Playground and introspection
}

// serve wires middleware, GraphQL, resolvers, flows and Clerk, and serves until ctx ends.
func (a api) serve(ctx context.Context, cfg config.HTTP, log *slog.Logger, ready func(url string)) error {
	keyring, err := seal.NewKeyring(time.Now, a.handleKeys...)
	if err != nil {
		return err
	}
	service, err := clerksvc.New(clerksvc.Config{
		API:               clerksvc.NewAPI(clerksvc.APIConfig{URL: a.clerkURL, SecretKey: a.secretKey, Timeout: a.flows.ClerkTimeout}),
		Keys:              keyring,
		Logger:            log,
		Now:               time.Now,
		SessionMode:       clerksvc.SessionMode(a.flows.SessionMode).Resolve(a.secretKey),
		PasswordPolicy:    clerksvc.DefaultPasswordPolicy(),
		Timeout:           a.flows.MutationTimeout,
		Issuer:            a.issuer,
		AuthorizedParties: a.flows.AuthorizedParties,
		CodeAttempts:      a.codeAttempts,
	})
	if err != nil {
		return err
	}
	executable := generated.NewExecutableSchema(generated.Config{Resolvers: resolvers.New(service, log)})

	router := chi.NewRouter()
	router.Use(middleware.Stack(middleware.Options{Logger: log, TrustedProxies: cfg.TrustedProxies, MaxBodyBytes: maxBodyBytes})...)
	router.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	router.Handle("/graphql", graph.NewHandler(executable, graph.Options{Logger: log, Introspection: a.open}))
	if a.open {
		router.Get("/", playground.Handler("ClerkQL", "/graphql"))
	}
	return httpserver.Run(ctx, httpserver.Options{
		Addr: cfg.Addr, Handler: router, Logger: log, ShutdownTimeout: cfg.ShutdownTimeout,
	}, ready)
}

// version returns the version that the build recorded.
func version() string {
	info, _ := debug.ReadBuildInfo() // never absent: the program is built from a module
	return info.Main.Version
}
