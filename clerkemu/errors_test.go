package clerkemu

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pair is a status that an operation answers.
type pair struct {
	operation string
	status    int
}

// exception is why some operations do not keep to the document in one status.
type exception struct {
	status     int
	reason     string
	operations []string
}

func pairsOf(exceptions []exception) []pair {
	var pairs []pair
	for _, e := range exceptions {
		for _, operation := range e.operations {
			pairs = append(pairs, pair{operation, e.status})
		}
	}
	return pairs
}

// undeclaredErrors are answered although the document does not declare them.
func undeclaredErrors() []exception {
	return []exception{
		{
			http.StatusBadRequest, "every operation checks the API version",
			[]string{"ListDomains", "GetInstance", "fapi.createSessionToken"},
		},
		{
			http.StatusUnauthorized, "a browser that has not made itself known, and a proxy with a wrong secret key",
			[]string{"fapi.createSignIn"},
		},
		{
			http.StatusUnauthorized, "every operation wants the secret key",
			[]string{
				"GetJWKS", "ListDomains", "GetInstance", "GetUsersCount", "BanUser", "UnbanUser", "LockUser", "UnlockUser",
				"VerifyPassword", "VerifyTOTP", "CreateSignInToken", "RevokeSignInToken",
			},
		},
		{
			http.StatusForbidden, "no session for banned and locked users [I]",
			[]string{"createSession"},
		},
		{
			http.StatusNotFound, "there is no such user: nothing else can be answered",
			[]string{"BanUser", "UnbanUser", "LockUser", "UnlockUser"},
		},
		{
			http.StatusRequestEntityTooLarge, "bodies are bounded [I]",
			[]string{"CreateUser", "fapi.createSignIn"},
		},
		{
			http.StatusUnsupportedMediaType, "bodies are JSON, or forms in the Frontend API",
			[]string{"CreateUser", "fapi.createSignIn"},
		},
		{
			http.StatusUnprocessableEntity, "a parameter is malformed: Clerk's error catalogue has 422 for it",
			[]string{"UpdateEmailAddress", "AttemptEmailAddressVerification", "CreateSessionToken"},
		},
		{
			http.StatusTooManyRequests, "rate limits, which only the text of the document mentions",
			[]string{"ListDomains", "UpdateUserMetadata", "PrepareEmailAddressVerification", "fapi.createSignIn"},
		},
	}
}

// neverAnswered are errors that the document declares and the embedded Clerk
// has no occasion for.
func neverAnswered() []exception {
	return []exception{
		{
			http.StatusPaymentRequired, "plans are not emulated: every feature is paid for",
			[]string{"CreateUser", "BanUser", "UnbanUser"},
		},
		{
			http.StatusForbidden, "the document names no case of it, and the secret key may do everything",
			[]string{
				"CreateEmailAddress", "GetEmailAddress", "UpdateEmailAddress", "DeleteEmailAddress",
				"PrepareEmailAddressVerification", "AttemptEmailAddressVerification", "CreateSignInToken",
			},
		},
		{
			http.StatusConflict, "the document names no case of it, and calls are carried out one after the other",
			[]string{"CreateEmailAddress", "UpdateEmailAddress", "DeleteEmailAddress", "UpdateUser", "fapi.createSignIn"},
		},
	}
}

// TestErrorsAreThoseOfTheDocument has every operation fail in every way that
// the document declares, or that undeclaredErrors lists, under the eyes of
// specTransport. A status is listed in vain when it is declared, or not seen.
func TestErrorsAreThoseOfTheDocument(t *testing.T) {
	spec := needSpec(t)
	declared := map[pair]bool{}
	for _, op := range operations() {
		found, _ := spec.find(op.method, op.path)
		for status := range found.Responses.Map() {
			if n, err := strconv.Atoi(status); err == nil && n >= 400 && n < 500 {
				declared[pair{op.id, n}] = true
			}
		}
	}
	seen := map[pair]bool{}
	for _, call := range provokeErrors(t, declared) {
		seen[pair{call.Operation, call.Status}] = true
	}

	never := pairsOf(neverAnswered())
	for p := range declared {
		if seen[p] == slices.Contains(never, p) {
			t.Errorf("%v is declared; it was seen: %v, it is in neverAnswered: %v", p, seen[p], !seen[p])
		}
	}
	for _, p := range never {
		if !declared[p] {
			t.Errorf("%v of neverAnswered is not declared", p)
		}
	}
	for _, p := range pairsOf(undeclaredErrors()) {
		if declared[p] || !seen[p] {
			t.Errorf("%v of undeclaredErrors is declared: %v, was seen: %v", p, declared[p], seen[p])
		}
	}
}

// provokeErrors returns the calls that it made.
func provokeErrors(t *testing.T, declared map[pair]bool) []Call {
	f := start(t)
	for _, op := range backendOperations() {
		path := strings.ReplaceAll(op.path, "{id}", "nothing_0000")
		f.do(op.method, path, nil, "Authorization", "Bearer wrong").want(t, http.StatusUnauthorized, "clerk_key_invalid")
		if declared[pair{op.id, http.StatusBadRequest}] || op.id == "ListDomains" || op.id == "GetInstance" {
			f.do(op.method, path, nil, "Clerk-Api-Version", "1999-01-01").want(t, http.StatusBadRequest, "api_version_invalid")
		}
		if strings.Contains(op.path, "{id}") {
			body := map[string]any{}
			switch op.id {
			case "VerifyPassword":
				body["password"] = "x"
			case "VerifyTOTP":
				body["code"] = "123456"
			case "AttemptEmailAddressVerification":
				body["code"], body["verification_id"] = "123456", "ver_0"
			}
			f.do(op.method, path, body).want(t, http.StatusNotFound, "resource_not_found")
		}
	}

	u := f.seed("ada@example.com")
	bare := f.seed("bare@example.com", func(s *UserSeed) { s.Password = "" })
	mfa := f.seed("mfa@example.com", func(s *UserSeed) { s.TOTPSecret = totpSecret })
	banned := f.seed("banned@example.com", func(s *UserSeed) { s.Banned = true })
	id := map[string]any{"user_id": u.ID}
	user, email := "/users/"+u.ID, "/email_addresses/"+u.EmailAddressID
	more := f.ok("POST", "/email_addresses", map[string]any{"user_id": u.ID, "email_address": "more@example.com"})
	session := "/sessions/" + f.ok("POST", "/sessions", id)["id"].(string)
	ticket := "/sign_in_tokens/" + f.ok("POST", "/sign_in_tokens", id)["id"].(string)
	f.ok("POST", ticket+"/revoke", nil)
	for _, tt := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"POST", "/users", "null", 422, "form_data_missing"},
		{"POST", "/users", strings.Repeat(" ", maxBodyBytes+1), 413, "request_body_too_large"},
		{"GET", "/users?limit=0", nil, 422, "form_param_value_invalid"},
		{"GET", "/users/count?query=x", nil, 422, "form_param_unknown"},
		{"PATCH", user, map[string]any{"first_name": 1}, 422, "form_param_type_invalid"},
		{"PATCH", user + "/metadata", map[string]any{"private_metadata": 1}, 422, "form_param_type_invalid"},
		{"POST", user + "/verify_password", map[string]any{"password": "wrong"}, 422, "incorrect_password"},
		{"POST", "/users/" + bare.ID + "/verify_password", map[string]any{"password": "x"}, 400, "no_password_set"},
		{"POST", "/users/" + mfa.ID + "/verify_totp", map[string]any{"code": "1"}, 422, "totp_invalid_length"},
		{"POST", user + "/verify_totp", map[string]any{"code": "123456"}, 400, "totp_disabled"},
		{"POST", "/email_addresses", map[string]any{"user_id": "user_x", "email_address": "x@example.com"}, 404, "resource_not_found"},
		{"POST", "/email_addresses", map[string]any{"user_id": u.ID, "email_address": "x"}, 422, "form_param_format_invalid"},
		{"PATCH", "/email_addresses/" + more["id"].(string), map[string]any{"primary": true}, 422, "form_verification_needed"},
		{"POST", email + "/attempt_verification", map[string]any{"code": "123456"}, 422, "form_param_missing"},
		{"GET", "/sessions", nil, 422, "form_param_missing"},
		{"POST", "/sessions", map[string]any{"user_id": banned.ID}, 403, "user_banned"},
		{"POST", "/sessions", map[string]any{"user_id": "user_x"}, 404, "resource_not_found"},
		{"POST", "/sessions", "null", 422, "form_param_missing"},
		{"POST", session + "/tokens", map[string]any{"expires_in_seconds": 1}, 422, "form_param_value_invalid"},
		{"POST", "/sign_in_tokens", map[string]any{"user_id": "user_x"}, 404, "resource_not_found"},
		{"POST", "/sign_in_tokens", "null", 422, "form_param_missing"},
		{"POST", ticket + "/revoke", nil, 400, "sign_in_token_cannot_be_revoked_code"},
	} {
		f.do(tt.method, tt.path, tt.body).want(t, tt.status, tt.code)
	}
	f.do("POST", "/users", "a=b", "Content-Type", "text/plain").want(t, 415, "unsupported_content_type")
	return slices.Concat(f.Calls(), provokeLimits(t), provokeFrontendErrors(t))
}

// provokeLimits reaches every limit of an instance, and returns the calls that
// it made.
func provokeLimits(t *testing.T) []Call {
	f := start(t, func(o *Options) {
		o.MaxUsers, o.RateLimit, o.ResendInterval, o.LockoutEnabled = 1, 2*metadataRateLimit, time.Hour, new(bool)
	})
	u := f.seed("one@example.com")
	second := map[string]any{"email_address": []string{"two@example.com"}, "password": goodPassword}
	f.do("POST", "/users", second).want(t, 403, "user_quota_exceeded")
	f.do("POST", "/users/"+u.ID+"/lock", nil).want(t, 403, "feature_not_enabled")
	f.do("POST", "/users/"+u.ID+"/unlock", nil).want(t, 403, "feature_not_enabled")
	f.prepare(u.EmailAddressID)
	f.do("POST", "/email_addresses/"+u.EmailAddressID+"/prepare_verification", nil).
		want(t, 429, "verification_code_too_many_requests")
	for range metadataRateLimit {
		f.ok("PATCH", "/users/"+u.ID+"/metadata", map[string]any{})
	}
	f.do("PATCH", "/users/"+u.ID+"/metadata", map[string]any{}).want(t, 429, "too_many_requests")
	for range 2 * metadataRateLimit {
		f.do("GET", "/domains", nil)
	}
	f.do("GET", "/domains", nil).want(t, 429, "too_many_requests")
	return f.Calls()
}

// provokeFrontendErrors has the operations of the Frontend API fail, and
// returns the calls that it made.
func provokeFrontendErrors(t *testing.T) []Call {
	f := start(t, func(o *Options) { o.SignInRateLimit = 6 })
	banned := f.seed("banned@example.com", func(s *UserSeed) { s.Banned = true })
	f.do("POST", "/client/sign_ins", nil).want(t, 401, "dev_browser_unauthenticated")
	f.native("/client/sign_ins", nil, "", "Clerk-Api-Version", "1999-01-01").want(t, 400, "api_version_invalid")
	f.native("/client/sign_ins", url.Values{"pad": {strings.Repeat("x", maxBodyBytes)}}, "").want(t, 413, "request_body_too_large")
	f.native("/client/sign_ins", ticketForm("x"), "", "Content-Type", "application/json").want(t, 415, "unsupported_content_type")
	f.native("/client/sign_ins", nil, "").want(t, 422, "form_param_missing")
	f.redeem("x", "").want(t, 400, "ticket_invalid_code")
	f.redeem(f.ticket(banned.ID), "").want(t, 403, "user_banned")
	for range 3 {
		f.redeem("x", "").want(t, 400, "ticket_invalid_code")
	}
	f.redeem("x", "").want(t, 429, "too_many_requests")

	const tokens = "/client/sessions/sess_x/tokens"
	f.native(tokens, nil, "", "Clerk-Api-Version", "1999-01-01").want(t, 400, "api_version_invalid")
	f.native(tokens, nil, "").want(t, 401, "signed_out")
	g := start(t, func(o *Options) { o.Production = true })
	g.do("POST", "/client/sign_ins", nil).want(t, 404, "resource_not_found") // a browser
	r := g.signIn(g.ticket(g.seed("ada@example.com").ID), "")
	g.native(tokens, nil, r.clientToken()).want(t, 404, "resource_not_found")
	g.native(r.tokensPath(), url.Values{"organization_id": {"org_x"}}, r.clientToken()).want(t, 403, "not_a_member_in_organization")
	return append(f.Calls(), g.Calls()...)
}
