package main

import (
	"cmp"
	"strings"
	"time"

	"clerkql/clerksvc"
	"clerkql/internal/config"
)

func backendAPI(clerk config.Clerk, timeout time.Duration) *clerksvc.API {
	return clerksvc.NewAPI(clerksvc.APIConfig{URL: clerk.ClerkAPIURL, SecretKey: clerk.ClerkSecretKey, Timeout: timeout})
}

func frontendAPI(clerk config.Clerk, timeout time.Duration) *clerksvc.FrontendAPI {
	url := clerk.ClerkFrontendAPIURL
	if clerk.ClerkProxyURL != "" {
		url = cmp.Or(url, clerksvc.ProxiedFrontendAPIURL)
	}
	return clerksvc.NewFrontendAPI(clerksvc.FrontendAPIConfig{
		URL: url, ProxyURL: clerk.ClerkProxyURL, SecretKey: clerk.ClerkSecretKey, Timeout: timeout,
	})
}

// issuer returns who issues the instance's session tokens, or "" if Clerk has to be asked.
func issuer(clerk config.Clerk) string {
	return strings.TrimRight(cmp.Or(clerk.ClerkProxyURL, clerk.ClerkFrontendAPIURL), "/")
}

func passwordPolicy(cfg config.Passwords) clerksvc.PasswordPolicy {
	policy := clerksvc.DefaultPasswordPolicy()
	policy.MinLength, policy.MaxLength = cfg.PasswordMinLength, cfg.PasswordMaxLength
	policy.MinStrength, policy.ForbiddenWords = cfg.PasswordMinStrength, cfg.PasswordForbiddenWords
	return policy
}
