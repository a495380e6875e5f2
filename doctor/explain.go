package doctor

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"clerkql/clerksvc"
)

const (
	fixAgain    = "Run doctor again in a minute"
	fixSupport  = "ask Clerk's support whether the instance has the API that Clerk documents"
	fixFrontend = "Set CLERK_PROXY_URL to the proxy on the dashboard's Domains page, or unset it if there is none, and CLERK_FRONTEND_API_URL to the Frontend API on the API keys page"
)

// explain returns what failed and how to mend it, by Clerk's error codes.
func explain(err error) finding {
	var clerkErr *clerksvc.ClerkError
	switch {
	case errors.As(err, &clerkErr):
		return fail(describe(err), fixOf(clerkErr))
	case errors.Is(err, clerksvc.ErrSessionTokenInvalid):
		return fail("the session token is refused: "+describe(err),
			"Mend what fails above. If nothing does, "+fixFrontend)
	default:
		return fail(describe(err), fixSupport)
	}
}

// describe says what failed, in one line without secrets.
func describe(err error) string {
	var clerkErr *clerksvc.ClerkError
	if !errors.As(err, &clerkErr) {
		return strings.TrimPrefix(err.Error(), "clerksvc: ")
	}
	if len(clerkErr.Items) == 0 {
		return fmt.Sprintf("%s: %v", clerkErr.Operation, clerkErr.Unwrap())
	}
	codes := make([]string, len(clerkErr.Items))
	for i, item := range clerkErr.Items {
		codes[i] = item.Code
		if item.Param != "" {
			codes[i] += " (" + item.Param + ")"
		}
	}
	return fmt.Sprintf("Clerk answers %s to %s", strings.Join(codes, ", "), clerkErr.Operation)
}

// fixOf returns how to mend a call that failed. The first error that Clerk listed decides.
func fixOf(e *clerksvc.ClerkError) string {
	frontend := strings.HasPrefix(e.Operation, "fapi.")
	if len(e.Items) == 0 {
		if frontend {
			return "See that this machine gets to the Frontend API. " + fixFrontend
		}
		return "See that CLERK_API_URL is right, that Clerk is up (status.clerk.com), and that this machine gets to it. CLERK_TIMEOUT bounds each call"
	}
	switch code := e.Items[0].Code; code {
	case "totp_incorrect_code":
		return "Set the clock of this machine: TOTP codes go by it"
	case "request_invalid_for_environment":
		return "Set SESSION_MODE to exchange or ticket: Clerk lets backends create sessions on development instances only"
	case "api_version_invalid":
		return "The instance does not know version " + clerksvc.APIVersion + " of the API: " + fixSupport
	case "ticket_invalid_code":
		return fixFrontend
	case "native_api_disabled":
		return `Switch on "Native API" on the dashboard's Native applications page, or set SESSION_MODE to ticket`
	case "host_invalid":
		return fixFrontend
	case "proxy_request_missing_secret_key", "proxy_request_invalid_secret_key":
		return "Set CLERK_SECRET_KEY to the secret key of the instance that CLERK_PROXY_URL belongs to"
	case "form_param_unknown":
		return fixUnknown(e.Items[0].Param)
	case "form_data_missing":
		return "The instance requires more of a user than an address and a password: make that optional on the dashboard's User & authentication page"
	case "form_identifier_exists":
		return "Somebody has the address that you gave: name another one with --email"
	case "form_param_format_invalid", "not_allowed_access", "action_blocked":
		return "Name an address that may sign up with --email. The dashboard's Restrictions page says which ones may: allow-list, block-list, subaddresses"
	case "password_disabled":
		return "Switch on passwords on the dashboard's User & authentication page"
	case "verification_strategy_invalid":
		return "Switch on e-mail verification codes on the dashboard's User & authentication page"
	case "dev_monthly_email_limit_exceeded":
		return "Leave out --email, as test addresses do not count, or wait for the next month"
	case "user_quota_exceeded", "quota_exceeded":
		return "Delete users on the dashboard's Users page, or change the plan: the instance is full"
	case "feature_not_enabled", "unsupported_subscription_plan_features":
		return "Switch the feature on in the dashboard, or change the plan"
	case "too_many_requests", "verification_code_too_many_requests":
		return fixAgain + ". If it stays like that, something else uses up the limit of the instance"
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return "Set CLERK_SECRET_KEY to the instance's secret key, on the API keys page of the dashboard"
	case e.Status == http.StatusNotFound:
		return "The instance lacks this call, or what was created a moment ago. See that CLERK_API_URL is right, and " + fixSupport
	case e.Status >= http.StatusInternalServerError:
		return fixAgain + ". If it stays like that, see status.clerk.com" + traceOf(e)
	default:
		return "Look the code up in Clerk's documentation of errors, or " + fixSupport + traceOf(e)
	}
}

// fixUnknown returns how to mend that the instance does not know a parameter of a new user.
func fixUnknown(param string) string {
	switch param {
	case "email_address", "password":
		return "Switch on e-mail addresses with verification codes, and passwords, on the dashboard's User & authentication page"
	case "email_address_identification_status":
		return "The instance can't reserve an address, without which sign-ups prove nothing: " + fixSupport
	default:
		return "The instance does not know " + param + ": " + fixSupport
	}
}

// traceOf names what Clerk's support asks for, if Clerk told it.
func traceOf(e *clerksvc.ClerkError) string {
	if e.TraceID == "" {
		return ""
	}
	return ", and tell Clerk's support this trace id: " + e.TraceID
}
