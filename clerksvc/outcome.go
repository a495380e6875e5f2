package clerksvc

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Waits that are told when Clerk tells none.
const (
	defaultRetryAfter     = 5 * time.Second
	defaultCodeRetryAfter = 30 * time.Second // the least between two codes to an address, by Clerk's catalogue
)

// meaning is what one of Clerk's error codes says in the terms of our flows.
type meaning int

const (
	// meansUnavailable: the operator's affair or ours, such as a wrong key or a feature that is off. Nothing that the
	// user could mend. Codes that are not in the table mean this.
	meansUnavailable meaning = iota
	meansRateLimited
	meansCodeTooSoon
	meansTaken
	meansRestricted
	meansGone
	meansWrongPassword
	meansWrongCode
	meansVerificationExpired
	meansAlreadyVerified
	meansBanned
	meansLocked
	meansBadField
	meansBadPassword
)

// clerkCode is a row of the table: a code's meaning, with the rule or reason where the meaning has one.
type clerkCode struct {
	meaning meaning
	rule    PasswordRule
	reason  FieldReason
}

// clerkCodes is the one place where Clerk's error codes get a meaning. It has every code of Clerk's catalogue that the
// Backend API can answer to the endpoints in this package, those that mean "unavailable" included, so that a
// test can tell a code that was thought about from one that is new.
//
//nolint:gochecknoglobals // a table that is never written
var clerkCodes = map[string]clerkCode{
	// The request never got to what it was about.
	"authorization_header_format_invalid": {},
	"authorization_invalid":               {},
	"authorization_missing_scopes":        {},
	"authentication_invalid":              {},
	"could_not_authenticate_request":      {},
	"clerk_key_invalid":                   {},
	"instance_key_required":               {},
	"request_invalid_for_environment":     {},
	"request_invalid_for_instance":        {},
	"api_version_invalid":                 {},
	"unsupported_content_type":            {},
	"request_body_invalid":                {},
	"request_body_too_large":              {},
	"malformed_request_parameters":        {},
	"missing_query_parameter":             {},
	"bad_request":                         {},
	"operation_deprecated":                {},
	"internal_clerk_error":                {},
	"service_unavailable":                 {},
	"gateway_timeout":                     {},
	"too_many_requests":                   {meaning: meansRateLimited},
	"conflict":                            {},
	"resource_locked":                     {},
	"duplicate_record":                    {},

	// The instance, its plan and its settings.
	"feature_not_enabled":                       {},
	"feature_not_implemented":                   {},
	"feature_requires_email_address_enabled":    {},
	"feature_requires_progressive_sign_up":      {},
	"unsupported_subscription_plan_features":    {},
	"quota_exceeded":                            {},
	"user_quota_exceeded":                       {},
	"breaks_instance_invariant":                 {},
	"disabled_instance_restriction":             {},
	"dev_monthly_email_limit_exceeded":          {},
	"password_disabled":                         {},
	"enterprise_sso_sign_up_connection_missing": {},
	"not_allowed_access":                        {meaning: meansRestricted},
	"action_blocked":                            {meaning: meansRestricted},
	"requires_protect_check":                    {meaning: meansRestricted},

	// Parameters. Which field of ours is at fault, meta.param_name tells.
	"form_identifier_exists":            {meaning: meansTaken},
	"form_already_exists":               {meaning: meansTaken},
	"identification_claimed":            {meaning: meansTaken},
	"form_param_format_invalid":         {meaning: meansBadField, reason: FieldInvalidFormat},
	"form_param_value_invalid":          {meaning: meansBadField, reason: FieldInvalidFormat},
	"form_param_type_invalid":           {meaning: meansBadField, reason: FieldInvalidFormat},
	"form_param_missing":                {meaning: meansBadField, reason: FieldRequired},
	"form_param_nil":                    {meaning: meansBadField, reason: FieldRequired},
	"form_conditional_param_missing":    {meaning: meansBadField, reason: FieldRequired},
	"form_data_missing":                 {meaning: meansBadField, reason: FieldRequired},
	"form_param_max_length_exceeded":    {meaning: meansBadField, reason: FieldTooLong},
	"form_param_exceeds_allowed_size":   {meaning: meansBadField, reason: FieldTooLong},
	"form_param_value_too_large":        {meaning: meansBadField, reason: FieldTooLong},
	"form_param_min_length_exceeded":    {meaning: meansBadField, reason: FieldInvalidFormat},
	"form_param_duplicate":              {},
	"form_param_unknown":                {},
	"form_param_deprecated":             {},
	"form_param_array_size_exceeded":    {},
	"form_param_array_length_mismatch":  {},
	"form_param_invalid_time":           {},
	"form_param_invalid_date":           {},
	"form_disallow_future_date":         {},
	"form_param_value_conflict":         {},
	"form_conditional_param_disallowed": {},
	"form_verification_needed":          {},
	"form_invalid_origin":               {},
	"form_identifier_not_found":         {meaning: meansGone},
	"form_resource_not_found":           {meaning: meansGone},

	// New passwords.
	"form_password_length_too_short":       {meaning: meansBadPassword, rule: PasswordMinLength},
	"form_password_length_too_long":        {meaning: meansBadPassword, rule: PasswordMaxLength},
	"form_password_size_in_bytes_exceeded": {meaning: meansBadPassword, rule: PasswordMaxBytes},
	"form_password_no_uppercase":           {meaning: meansBadPassword, rule: PasswordUppercase},
	"form_password_no_lowercase":           {meaning: meansBadPassword, rule: PasswordLowercase},
	"form_password_no_number":              {meaning: meansBadPassword, rule: PasswordDigit},
	"form_password_no_special_char":        {meaning: meansBadPassword, rule: PasswordSpecialCharacter},
	"form_password_not_strong_enough":      {meaning: meansBadPassword, rule: PasswordStrength},
	"form_password_pwned":                  {meaning: meansBadPassword, rule: PasswordNotLeaked},
	"form_password_matches_identifier":     {meaning: meansBadPassword, rule: PasswordNotIdentifier},
	"form_password_validation_failed":      {meaning: meansBadPassword, rule: PasswordOther},
	"form_password_digest_invalid_code":    {},

	// What is to be proved.
	"incorrect_password":                  {meaning: meansWrongPassword},
	"no_password_set":                     {meaning: meansWrongPassword},
	"totp_incorrect_code":                 {meaning: meansWrongCode},
	"totp_invalid_length":                 {meaning: meansWrongCode},
	"totp_disabled":                       {meaning: meansVerificationExpired},
	"form_code_incorrect":                 {meaning: meansWrongCode},
	"verification_expired":                {meaning: meansVerificationExpired},
	"verification_failed":                 {meaning: meansVerificationExpired},
	"verification_not_sent":               {meaning: meansVerificationExpired},
	"verification_already_verified":       {meaning: meansAlreadyVerified},
	"verification_strategy_invalid":       {},
	"verification_status_unknown":         {},
	"verification_code_too_many_requests": {meaning: meansCodeTooSoon},

	// What the Frontend API has against redeeming a ticket.
	"native_api_disabled":                   {},
	"origin_authorization_headers_conflict": {},
	"host_invalid":                          {},
	"proxy_request_missing_secret_key":      {},
	"proxy_request_invalid_secret_key":      {},
	"session_exists":                        {},
	"signed_out":                            {},
	"ticket_expired_code":                   {},
	"ticket_invalid_code":                   {},
	"sign_in_token_revoked_code":            {},
	"sign_in_token_already_used_code":       {},
	"sign_in_token_cannot_be_used_code":     {},
	"sign_in_token_not_in_sign_in_code":     {},

	// The account.
	"resource_not_found":                             {meaning: meansGone},
	"user_banned":                                    {meaning: meansBanned},
	"user_deactivated":                               {meaning: meansBanned},
	"deprovisioned":                                  {meaning: meansBanned},
	"user_locked":                                    {meaning: meansLocked},
	"user_managed_by_scim":                           {},
	"attribute_managed_by_scim":                      {},
	"session_creation_not_allowed":                   {},
	"client_state_invalid":                           {},
	"sign_in_token_cannot_be_revoked_code":           {},
	"identification_deletion_failed":                 {},
	"last_required_identification_deletion_failed":   {},
	"identification_update_failed":                   {},
	"identification_update_second_factor_unverified": {},
	"identification_create_second_factor_unverified": {},
	"delete_linked_identification_disallowed":        {},
}

// fieldFor returns the field that users fill in for one of Clerk's parameters. Any other parameter is one that we set,
// and a fault in it is ours: then it returns "".
func fieldFor(param string) string {
	switch param {
	case "email_address":
		return "email"
	case "first_name":
		return "firstName"
	case "last_name":
		return "lastName"
	case "code":
		return "code"
	default:
		return ""
	}
}

// outcome turns the failure of a Clerk call into the outcome of a flow, and logs it: as an error what the operator may have
// to mend, and what users bring about for those who look for it. An error that is an outcome already, it returns as it is.
func (s *Service) outcome(ctx context.Context, err error) error {
	var clerkErr *ClerkError
	if !errors.As(err, &clerkErr) {
		return err
	}
	result, level := outcomeOf(clerkErr), slog.LevelDebug
	switch {
	case errors.As(result, new(*UnavailableError)):
		level = slog.LevelError
	case errors.As(result, new(*RateLimitedError)), errors.Is(result, ErrSignUpRestricted):
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "clerk call failed",
		slog.String("operation", clerkErr.Operation),
		slog.Int("status", clerkErr.Status),
		slog.Any("codes", clerkErr.codes()),
		slog.String("clerk_trace_id", clerkErr.TraceID),
		slog.String("error", clerkErr.Error()))
	return result
}

// outcomeOf is the table's answer to a failed call. Broken password rules come first, and all together; then fields,
// all together; then the first error that means anything.
func outcomeOf(e *ClerkError) error {
	var (
		rules  []PasswordRule
		fields []InvalidField
		first  = meansUnavailable
	)
	for _, item := range e.Items {
		row := clerkCodes[item.Code]
		field, badField := fieldFor(item.Param), row.meaning == meansBadField
		switch {
		case row.meaning == meansBadPassword:
			rules = append(rules, row.rule)
		case badField && item.Param == "password":
			rules = append(rules, PasswordOther)
		case badField && field != "":
			fields = append(fields, InvalidField{Name: field, Reason: row.reason})
		case first == meansUnavailable && !badField:
			first = row.meaning
		}
	}
	switch {
	case len(rules) > 0:
		return &PasswordRejectedError{Violations: rules}
	case len(fields) > 0:
		return &InvalidInputError{Fields: fields}
	default:
		return first.outcome(e)
	}
}

func (m meaning) outcome(e *ClerkError) error {
	switch m {
	case meansRateLimited:
		return &RateLimitedError{RetryAfter: orDefault(e.RetryAfter, defaultRetryAfter)}
	case meansCodeTooSoon:
		return &RateLimitedError{RetryAfter: orDefault(e.RetryAfter, defaultCodeRetryAfter)}
	case meansTaken:
		return ErrEmailTaken
	case meansRestricted:
		return ErrSignUpRestricted
	case meansGone, meansVerificationExpired:
		return ErrVerificationExpired
	case meansWrongPassword:
		return ErrInvalidCredentials
	case meansWrongCode:
		return &InvalidCodeError{}
	case meansAlreadyVerified:
		return ErrAlreadyVerified
	case meansBanned:
		return ErrAccountBanned
	case meansLocked:
		return &AccountLockedError{}
	default:
		return &UnavailableError{RetryAfter: orDefault(e.RetryAfter, defaultRetryAfter), cause: e}
	}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}

func (e *ClerkError) codes() []string {
	codes := make([]string, len(e.Items))
	for i, item := range e.Items {
		codes[i] = item.Code
	}
	return codes
}
