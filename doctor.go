package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"clerkql/clerksvc"
	"clerkql/doctor"
	"clerkql/internal/config"
	"clerkql/internal/pseudonym"
	"clerkql/internal/seal"
)

// diagnose checks a Clerk instance. Questions go to stderr, so that stdout has the lines of the checks and nothing else.
func diagnose(ctx context.Context, cfg config.Doctor, stdin io.Reader, stdout, stderr io.Writer) error {
	// Neither a terminal that is closed nor a pipe that nobody reads any more may end the program before it has cleaned up.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)

	key := seal.RandomKey() // a service needs one; nothing that it seals or names is kept
	keyring, err := seal.NewKeyring(time.Now, key)
	if err != nil {
		return err
	}
	pseudonyms, err := pseudonym.NewHasher(key)
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler) // what fails is told by the checks
	backendConfig, frontendConfig := backendAPI(cfg.Clerk, cfg.ClerkTimeout, quiet), frontendAPI(cfg.Clerk, cfg.ClerkTimeout, quiet)
	backendConfig.Once, frontendConfig.Once = true, true // nor is a Clerk that fails at times found to be well
	clerk, frontend := clerksvc.NewAPI(backendConfig), clerksvc.NewFrontendAPI(frontendConfig)
	mode := clerksvc.SessionMode(cfg.SessionMode).Resolve(cfg.ClerkSecretKey)
	service, err := clerksvc.New(clerksvc.Config{
		API:            clerk,
		FrontendAPI:    frontend,
		Keys:           keyring,
		Pseudonyms:     pseudonyms,
		Logger:         quiet,
		Now:            time.Now,
		SessionMode:    mode,
		PasswordPolicy: clerksvc.DefaultPasswordPolicy(),
		Timeout:        cfg.ClerkTimeout,
		Issuer:         issuer(cfg.Clerk),
	})
	if err != nil {
		return err
	}
	return doctor.Run(ctx, doctor.Config{
		API:           clerk,
		FrontendAPI:   frontend,
		Viewer:        service.Viewer,
		ProductionKey: cfg.ProductionKey(),
		SessionMode:   mode,
		Issuer:        issuer(cfg.Clerk),
		EmailAddress:  cfg.EmailAddress,
		Confirm: func(ctx context.Context, question string) bool {
			return cfg.Yes || confirm(ctx, stdin, stderr, question)
		},
		Out: stdout,
	})
}

// confirm asks a question and reports whether the answer is yes. No answer, and the end of ctx, is no.
func confirm(ctx context.Context, stdin io.Reader, stderr io.Writer, question string) bool {
	fmt.Fprintf(stderr, "%s Go on? [y/N] ", question)
	answered := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdin).ReadString('\n') // what was read before an error is the answer
		answered <- line
	}()
	select {
	case line := <-answered:
		if !strings.HasSuffix(line, "\n") {
			fmt.Fprintln(stderr)
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		return answer == "y" || answer == "yes"
	case <-ctx.Done():
		fmt.Fprintln(stderr)
		return false
	}
}
