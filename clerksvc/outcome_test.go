package clerksvc

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// elsewhere are the families of codes, by prefix, that no endpoint of this package answers. They belong to parts of the
// Backend API that we do not call.
var elsewhere = []string{
	"actor_token_", "agent_task_", "api_keys_", "billing_", "bulk_", "checkout_", "client_not_found", "commerce_", "cookie_", "currency_",
	"custom_oauth_", "default_plan_", "discount_", "domain_", "email_template_", "exclusive_organization_", "external_account_",
	"feature_requires_custom_domain", "feature_requires_oidc_provider", "force_organization_", "form_disable_default_",
	"form_public_client_", "form_username_", "home_url_", "image_", "impersonation_", "infinite_redirect_", "insecure_url", "insufficient_",
	"invalid_credit_", "invalid_proxy_", "invalid_session_token", "invalid_template_", "invalid_totp_secret_", "invitation", "jwt_template_", "known_hosting_",
	"log_drain_", "machine_token_", "malformed_publishable_key", "missing_organization_", "missing_plan_id", "not_a_member_", "already_a_member_", "oauth_",
	"operation_not_allowed_on_", "org_", "organization", "out_of_date_price", "passkey_", "payee_", "payer_", "payment_", "personal_accounts_", "plan_",
	"platform_api_", "price_transition_", "primary_domain_", "provider_domain_", "proxy_url_", "refresh_", "required_variable_", "reserved_domain",
	"reserved_subdomain", "revoked_invitation", "role_migration_", "saml_", "scim_", "seat_based_", "session_refresh_", "expired_session_token_",
	"session_token_jwt_template", "sign_up_", "sms_", "dev_monthly_sms_", "subscription_", "supported_billing_", "svix_", "template_", "unit_price",
	"unsupported_country_code", "waitlist_",
}

// catalogue reads Clerk's catalogue of error codes, which is not part of this repository. CLERK_OPENAPI_DIR says where it is.
func catalogue(t *testing.T) [][]string {
	t.Helper()
	dir := os.Getenv("CLERK_OPENAPI_DIR")
	if dir == "" {
		dir = "../../shared/clerk-openapi"
	}
	file, err := os.Open(filepath.Join(dir, "clerk-error-codes.tsv"))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: Clerk's catalogue of error codes is not here. Set CLERK_OPENAPI_DIR to check against it.")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	reader.Comma, reader.LazyQuotes, reader.FieldsPerRecord = '\t', true, -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// TestEveryCodeOfTheCatalogue holds that every code of Clerk's that the Backend API can answer to our endpoints has a row in
// our table, and that no row is of a code that does not exist.
func TestEveryCodeOfTheCatalogue(t *testing.T) {
	published := map[string]bool{}
	checked := 0
	for _, row := range catalogue(t) {
		code, bapi := row[0], row[3] == "1"
		published[code] = true
		if !bapi || code == "" {
			continue
		}
		foreign := slices.ContainsFunc(elsewhere, func(prefix string) bool { return strings.HasPrefix(code, prefix) })
		_, known := clerkCodes[code]
		if known == foreign {
			t.Errorf("%s: in our table %v, listed as answered elsewhere %v", code, known, foreign)
		}
		if known {
			checked++
		}
	}
	for code := range clerkCodes {
		if !published[code] {
			t.Errorf("%s is in our table, but not in Clerk's catalogue", code)
		}
	}
	t.Logf("%d rows of the catalogue have an answer here", checked)
}

// TestOutcomes says what the codes mean, one by one, and what becomes of those that nobody knows.
func TestOutcomes(t *testing.T) {
	unavailable := &UnavailableError{RetryAfter: defaultRetryAfter}
	password := func(rule PasswordRule) error { return &PasswordRejectedError{Violations: []PasswordRule{rule}} }
	field := func(name string, reason FieldReason) error {
		return &InvalidInputError{Fields: []InvalidField{{Name: name, Reason: reason}}}
	}
	want := map[string]error{
		"too_many_requests":                    &RateLimitedError{RetryAfter: defaultRetryAfter},
		"verification_code_too_many_requests":  &RateLimitedError{RetryAfter: defaultCodeRetryAfter},
		"not_allowed_access":                   ErrSignUpRestricted,
		"action_blocked":                       ErrSignUpRestricted,
		"requires_protect_check":               ErrSignUpRestricted,
		"form_identifier_exists":               ErrEmailTaken,
		"form_already_exists":                  ErrEmailTaken,
		"identification_claimed":               ErrEmailTaken,
		"form_identifier_not_found":            ErrVerificationExpired,
		"form_resource_not_found":              ErrVerificationExpired,
		"resource_not_found":                   ErrVerificationExpired,
		"verification_expired":                 ErrVerificationExpired,
		"verification_failed":                  ErrVerificationExpired,
		"verification_not_sent":                ErrVerificationExpired,
		"totp_disabled":                        ErrVerificationExpired,
		"verification_already_verified":        ErrAlreadyVerified,
		"incorrect_password":                   ErrInvalidCredentials,
		"no_password_set":                      ErrInvalidCredentials,
		"totp_incorrect_code":                  &InvalidCodeError{},
		"totp_invalid_length":                  &InvalidCodeError{},
		"form_code_incorrect":                  &InvalidCodeError{},
		"user_banned":                          ErrAccountBanned,
		"user_deactivated":                     ErrAccountBanned,
		"deprovisioned":                        ErrAccountBanned,
		"user_locked":                          &AccountLockedError{},
		"form_password_length_too_short":       password(PasswordMinLength),
		"form_password_length_too_long":        password(PasswordMaxLength),
		"form_password_size_in_bytes_exceeded": password(PasswordMaxBytes),
		"form_password_no_uppercase":           password(PasswordUppercase),
		"form_password_no_lowercase":           password(PasswordLowercase),
		"form_password_no_number":              password(PasswordDigit),
		"form_password_no_special_char":        password(PasswordSpecialCharacter),
		"form_password_not_strong_enough":      password(PasswordStrength),
		"form_password_pwned":                  password(PasswordNotLeaked),
		"form_password_matches_identifier":     password(PasswordNotIdentifier),
		"form_password_validation_failed":      password(PasswordOther),
		"form_param_format_invalid":            field("email", FieldInvalidFormat),
		"form_param_value_invalid":             field("email", FieldInvalidFormat),
		"form_param_type_invalid":              field("email", FieldInvalidFormat),
		"form_param_min_length_exceeded":       field("email", FieldInvalidFormat),
		"form_param_missing":                   field("email", FieldRequired),
		"form_param_nil":                       field("email", FieldRequired),
		"form_conditional_param_missing":       field("email", FieldRequired),
		"form_data_missing":                    field("email", FieldRequired),
		"form_param_max_length_exceeded":       field("email", FieldTooLong),
		"form_param_exceeds_allowed_size":      field("email", FieldTooLong),
		"form_param_value_too_large":           field("email", FieldTooLong),
	}
	codes := []string{"made_of_tea", ""}
	for code := range clerkCodes {
		codes = append(codes, code)
	}
	for _, code := range codes {
		expected, listed := want[code]
		if !listed {
			expected = unavailable
		}
		got := outcomeOf(&ClerkError{Status: 400, Items: []ClerkErrorItem{{Code: code, Param: "email_address"}}})
		var down *UnavailableError
		if errors.As(got, &down) {
			down.cause = nil
		}
		if !reflect.DeepEqual(got, expected) {
			t.Errorf("%q: %v, want %v", code, got, expected)
		}
	}
	for code := range want {
		if _, ok := clerkCodes[code]; !ok {
			t.Errorf("%q has no row", code)
		}
	}
}

// TestSeveralErrorsAtOnce has answers that list more than one error, and parameters that users do not fill in.
func TestSeveralErrorsAtOnce(t *testing.T) {
	for _, row := range []struct {
		name  string
		items []ClerkErrorItem
		retry time.Duration
		want  error
	}{
		{
			"all broken rules",
			[]ClerkErrorItem{{"form_password_length_too_short", "password"}, {"form_password_no_number", "password"}},
			0,
			&PasswordRejectedError{Violations: []PasswordRule{PasswordMinLength, PasswordDigit}},
		},
		{
			"all fields",
			[]ClerkErrorItem{{"form_param_format_invalid", "email_address"}, {"form_param_max_length_exceeded", "first_name"}},
			0,
			&InvalidInputError{Fields: []InvalidField{{"email", FieldInvalidFormat}, {"firstName", FieldTooLong}}},
		},
		{
			"a rule that has no code of its own",
			[]ClerkErrorItem{{"form_param_format_invalid", "password"}},
			0,
			&PasswordRejectedError{Violations: []PasswordRule{PasswordOther}},
		},
		{"the wait that Clerk tells", []ClerkErrorItem{{"too_many_requests", ""}}, 7 * time.Second, &RateLimitedError{RetryAfter: 7 * time.Second}},
		{"the first that means something", []ClerkErrorItem{{"made_of_tea", ""}, {"user_banned", ""}}, 0, ErrAccountBanned},
		{
			"a parameter that we set",
			[]ClerkErrorItem{{"form_param_value_invalid", "email_address_identification_status"}},
			0,
			&UnavailableError{RetryAfter: defaultRetryAfter},
		},
		{"no error at all", nil, 0, &UnavailableError{RetryAfter: defaultRetryAfter}},
	} {
		got := outcomeOf(&ClerkError{Status: 422, Items: row.items, RetryAfter: row.retry})
		var down *UnavailableError
		if errors.As(got, &down) {
			down.cause = nil
		}
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
