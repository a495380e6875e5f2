// Package settings has what ClerkQL is measured with: what a deployment behind a proxy has, with every feature on.
package settings

import "strings"

// Serve returns the environment of `clerkql serve`. Budgets are counted, and so large that none is ever spent; calls to Clerk may take longer, and more of
// them may be under way, than in production, for what is measured while Clerk holds its answers back.
func Serve(addr, clerkURL, secretKey string) []string {
	env := []string{
		"ADDR=" + addr, "TRUSTED_PROXIES=127.0.0.1/32", "LOG_FORMAT=json",
		"CLERK_API_URL=" + clerkURL + "/v1", "CLERK_SECRET_KEY=" + secretKey, "SESSION_MODE=session",
		"HANDLE_KEYS=" + strings.Repeat("5c", 32),
		"CLERK_TIMEOUT=45s", "MUTATION_TIMEOUT=45s", "CLERK_CONCURRENCY=8192", "CLERK_RATE_LIMIT=1000000/1s",
	}
	for _, budget := range []string{
		"REQUESTS_PER_IP", "REQUESTS_PER_SESSION", "SIGN_INS_PER_IP", "SIGN_INS_PER_ADDRESS", "SIGN_UPS_PER_IP",
		"MAILS_PER_IP", "MAIL_PAUSE", "MAILS_PER_ADDRESS", "MAILS", "CODES_PER_HANDLE",
	} {
		env = append(env, "LIMIT_"+budget+"=1000000/1s")
	}
	return env
}
