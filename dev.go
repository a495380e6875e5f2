package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/config"
	"clerkql/internal/seal"
	"clerkql/internal/secret"
	"clerkql/internal/telemetry"
)

// devBanner is what dev prints, with the URLs of the API and of the embedded Clerk.
//
//go:embed web/dev.txt
var devBanner string

func dev(ctx context.Context, cfg config.Dev, stdout, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	clerk, err := startClerk(clerkemu.Options{Addr: cfg.EmulatorAddr, Production: cfg.EmulatorProduction, Logger: log})
	if err != nil {
		return err
	}
	if _, err := clerk.SeedUser(demoUser()); err != nil {
		return errors.Join(err, clerk.Close())
	}
	if cfg.EmulatorProduction && cfg.SessionMode == string(clerksvc.ModeAuto) {
		cfg.SessionMode = string(clerksvc.ModeTicket) // the embedded Clerk's key looks like a development key
	}
	log.WarnContext(ctx, "handles are sealed with a random key: they stop working when this process ends")
	limits := &cfg.Limits
	if cfg.RateLimits == "off" {
		limits = nil
	}
	err = api{
		clerk: config.Clerk{
			ClerkAPIURL: clerk.APIURL(), ClerkSecretKey: secret.New(clerk.SecretKey()), ClerkFrontendAPIURL: clerk.FrontendAPIURL(),
		},
		codeAttempts: clerkemu.DefaultCodeAttempts,
		handleKeys:   [][]byte{seal.RandomKey()},
		flows:        cfg.Flows,
		limits:       limits,
		redisURL:     cfg.RedisURL,
		open:         true,
	}.serve(ctx, cfg.HTTP, log, func(url string) {
		demo := demoUser()
		fmt.Fprintf(stdout, devBanner, url, clerk.URL(), demo.EmailAddress, demo.Password, demo.TOTPSecret, demo.BackupCodes[0])
	})
	return errors.Join(err, clerk.Close())
}

func emulator(ctx context.Context, cfg config.Emulator, stdout, stderr io.Writer) error {
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == "json")
	clerk, err := startClerk(clerkemu.Options{Addr: cfg.Addr, Production: cfg.Production, Logger: log})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "CLERK_API_URL=%s\nCLERK_SECRET_KEY=%s\nCLERK_FRONTEND_API_URL=%s\nMailbox: %s/mailbox\n",
		clerk.APIURL(), clerk.SecretKey(), clerk.FrontendAPIURL(), clerk.URL())
	<-ctx.Done()
	return clerk.Close()
}

// demoUser returns an account with a second factor, to try one with. All of it is public: the embedded Clerk is for this machine
// only, and forgets everything when it ends.
func demoUser() clerkemu.UserSeed {
	return clerkemu.UserSeed{ //nolint:gosec // public credentials
		EmailAddress: "demo@example.com",
		Password:     "demo user of ClerkQL",
		FirstName:    "Demo",
		TOTPSecret:   "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		BackupCodes:  []string{"demo0001", "demo0002", "demo0003", "demo0004", "demo0005"},
	}
}

func startClerk(opts clerkemu.Options) (*clerkemu.Server, error) {
	clerk, err := clerkemu.New(opts)
	if err != nil {
		return nil, err
	}
	return clerk, clerk.Start()
}
