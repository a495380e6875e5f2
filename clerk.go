package main

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"strings"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/config"
	"clerkql/internal/pseudonym"
	"clerkql/internal/seal"
)

func backendAPI(clerk config.Clerk, timeout time.Duration, log *slog.Logger) clerksvc.APIConfig {
	return clerksvc.APIConfig{URL: clerk.ClerkAPIURL, SecretKey: clerk.ClerkSecretKey, Timeout: timeout, Logger: log}
}

func frontendAPI(clerk config.Clerk, timeout time.Duration, log *slog.Logger) clerksvc.FrontendAPIConfig {
	url := clerk.ClerkFrontendAPIURL
	if clerk.ClerkProxyURL != "" {
		url = cmp.Or(url, clerksvc.ProxiedFrontendAPIURL)
	}
	return clerksvc.FrontendAPIConfig{
		URL: url, ProxyURL: clerk.ClerkProxyURL, SecretKey: clerk.ClerkSecretKey, Timeout: timeout, Logger: log,
	}
}

// issuer returns who issues the instance's session tokens, or "" if Clerk has to be asked.
func issuer(clerk config.Clerk) string {
	return strings.TrimRight(cmp.Or(clerk.ClerkProxyURL, clerk.ClerkFrontendAPIURL), "/")
}

// service returns the flows, over one Clerk instance.
func (a api) service(counts *counts, log *slog.Logger) (*clerksvc.Service, error) {
	keyring, err := seal.NewKeyring(time.Now, a.handleKeys...)
	if err != nil {
		return nil, err
	}
	pseudonyms, err := pseudonym.NewHasher(a.handleKeys[0])
	if err != nil {
		return nil, err
	}
	return clerksvc.New(clerksvc.Config{
		API:               clerksvc.NewAPI(backendAPI(a.clerk, a.flows.ClerkTimeout, log)),
		FrontendAPI:       clerksvc.NewFrontendAPI(frontendAPI(a.clerk, a.flows.ClerkTimeout, log)),
		Keys:              keyring,
		Pseudonyms:        pseudonyms,
		Logger:            log,
		Now:               time.Now,
		SessionMode:       clerksvc.SessionMode(a.flows.SessionMode).Resolve(a.clerk.ClerkSecretKey),
		PasswordPolicy:    passwordPolicy(a.flows.Passwords),
		Timeout:           a.flows.MutationTimeout,
		Issuer:            issuer(a.clerk),
		AuthorizedParties: a.flows.AuthorizedParties,
		CodeAttempts:      a.codeAttempts,
		AnswerFloor:       a.flows.AnswerFloor,
		TicketLife:        a.flows.TicketLife,
		Limits:            counts.limits,
		Quota:             counts.quota,
		Concurrency:       a.flows.ClerkConcurrency,
		StrictSignUp:      a.flows.SignUpDisclosure == "strict",
		CheckNewDevices:   a.flows.NewDeviceCheck == "email_code",
	})
}

// instanceID returns what tells the Clerk instance from others, and does not tell its secret key. Clerk's own id of it would cost a call to ask for.
func instanceID(clerk config.Clerk) (string, error) {
	id, err := hkdf.Key(sha256.New, []byte(clerk.ClerkSecretKey.Reveal()), nil, "clerkql: instance", 16)
	return base64.RawURLEncoding.EncodeToString(id), err
}

// clerkRateLimit returns how many calls Clerk allows the instance: what is set, or else what Clerk's page "Rate limits" says.
func clerkRateLimit(set config.Budget, clerk config.Clerk) config.Budget {
	switch {
	case set.Count > 0:
		return set
	case clerk.ProductionKey():
		return config.Budget{Count: 1000, Per: 10 * time.Second}
	default:
		return config.Budget{Count: 100, Per: 10 * time.Second}
	}
}

func passwordPolicy(cfg config.Passwords) clerksvc.PasswordPolicy {
	policy := clerksvc.DefaultPasswordPolicy()
	policy.MinLength, policy.MaxLength = cfg.PasswordMinLength, cfg.PasswordMaxLength
	policy.MinStrength, policy.ForbiddenWords = cfg.PasswordMinStrength, cfg.PasswordForbiddenWords
	return policy
}
