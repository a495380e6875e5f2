package clerksvc_test

import (
	"log/slog"
	"testing"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/pseudonym"
	"clerkql/internal/seal"
	"clerkql/internal/secret"
)

const (
	email    = "ada@example.com"
	password = "difference engine"
)

const apiTimeout = 5 * time.Second

func newAPI(clerk *clerkemu.Server) *clerksvc.API {
	return clerksvc.NewAPI(clerksvc.APIConfig{
		URL: clerk.APIURL(), SecretKey: secret.New(clerk.SecretKey()), Timeout: apiTimeout,
	})
}

// newService returns a service over an embedded Clerk, after changes to its configuration.
func newService(t testing.TB, clerk *clerkemu.Server, changes ...func(*clerksvc.Config)) *clerksvc.Service {
	t.Helper()
	cfg := clerksvc.Config{
		API:            newAPI(clerk),
		Logger:         slog.New(slog.DiscardHandler),
		Now:            time.Now,
		SessionMode:    clerksvc.ModeSession,
		PasswordPolicy: clerksvc.DefaultPasswordPolicy(),
		Timeout:        20 * time.Second,
	}
	for _, change := range changes {
		change(&cfg)
	}
	key := seal.RandomKey()
	var err error
	if cfg.Keys, err = seal.NewKeyring(cfg.Now, key); err != nil {
		t.Fatal(err)
	}
	if cfg.Pseudonyms, err = pseudonym.NewHasher(key); err != nil {
		t.Fatal(err)
	}
	service, err := clerksvc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	return service
}

func seed(t testing.TB, clerk *clerkemu.Server, user clerkemu.UserSeed) clerkemu.User {
	t.Helper()
	seeded, err := clerk.SeedUser(user)
	if err != nil {
		t.Fatal(err)
	}
	return seeded
}
