package clerkemu

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxBackupCodes bounds the backup codes of a user [I].
const maxBackupCodes = 50

// createUser is CreateUser, POST /users.
//
// The instance has email addresses and passwords turned on, and no phone
// numbers, usernames or wallets: their parameters are unknown to it, and so
// are password digests.
func (s *Server) createUser(r *request) (any, error) {
	p := r.params
	p.only("email_address", "email_address_identification_status", "password", "skip_password_checks",
		"skip_password_requirement", "skip_user_requirement", "first_name", "last_name", "locale", "external_id",
		"totp_secret", "backup_codes", "public_metadata", "private_metadata", "unsafe_metadata",
		"delete_self_enabled", "create_organization_enabled", "create_organizations_limit", "legal_accepted_at",
		"skip_legal_checks", "created_at", "bypass_client_trust", "banned", "locked")
	now := s.clock.Now()
	u := newUser(now)
	u.emails = readNewAddresses(p, u, now)
	u.firstName, u.lastName = emptyToNil(p.name("first_name")), emptyToNil(p.name("last_name"))
	u.locale, u.externalID = emptyToNil(p.name("locale")), emptyToNil(p.name("external_id"))
	u.publicMetadata = orEmpty(p.object("public_metadata"))
	u.privateMetadata = orEmpty(p.object("private_metadata"))
	u.unsafeMetadata = orEmpty(p.object("unsafe_metadata"))
	u.banned = p.flag("banned")
	u.bypassClientTrust = p.flag("bypass_client_trust")
	u.legalAcceptedAt = p.timestamp("legal_accepted_at")
	if created := p.timestamp("created_at"); !created.IsZero() {
		u.createdAt = created
	}
	readAccountSwitches(p, u)
	secret, codes := readSecondFactor(p)
	u.backupCodes = codes
	if secret != nil {
		u.enableTOTP(*secret, now)
	}
	password := p.str("password")
	if password != nil {
		p.problems = append(p.problems, passwordProblems(*password, u.addresses(), p.flag("skip_password_checks"))...)
	}
	locked := p.flag("locked")
	if err := p.err(); err != nil {
		return nil, err
	}

	var missing []string
	if len(u.emails) == 0 && !p.flag("skip_user_requirement") {
		missing = append(missing, "email_address")
	}
	if password == nil && !p.flag("skip_password_requirement") {
		missing = append(missing, "password")
	}
	if len(missing) > 0 {
		return nil, errDataMissing(missing)
	}
	if locked {
		if !*s.opts.LockoutEnabled {
			return nil, errFeatureOff("locked")
		}
		u.lockout = s.newLockout(now)
	}
	if password != nil {
		hash, err := s.hashPassword(r.ctx, *password)
		if err != nil {
			return nil, err
		}
		u.passwordHash, u.passwordUpdatedAt = hash, now
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if err := s.store.addUser(u); err != nil {
		return nil, err
	}
	return s.userBody(u), nil
}

func newUser(now time.Time) *user {
	return &user{
		id:              newID(prefixUser),
		publicMetadata:  map[string]any{},
		privateMetadata: map[string]any{},
		unsafeMetadata:  map[string]any{},
		deleteSelf:      true,
		createOrg:       true,
		createdAt:       now,
		updatedAt:       now,
	}
}

// readNewAddresses reads email_address and its parallel array of states. The
// first address becomes the primary one.
func readNewAddresses(p *params, u *user, now time.Time) []*emailAddress {
	const param, statusParam = "email_address", "email_address_identification_status"
	texts := p.strings(param, maxEmailAddressesPerUser)
	states := p.strings(statusParam, maxEmailAddressesPerUser)
	if len(states) > 0 && len(states) != len(texts) {
		p.note(paramProblem(statusParam, "form_param_array_length_mismatch", "has the wrong length",
			fmt.Sprintf("%s must contain exactly one item for each item in %s.", statusParam, param)))
		return nil
	}
	var list []*emailAddress
	for i, text := range texts {
		address, ok := normalizeEmail(text)
		if !ok {
			p.note(problemEmailFormat(param))
			continue
		}
		if slices.ContainsFunc(list, func(e *emailAddress) bool { return e.address == address }) {
			p.note(paramProblem(param, "form_param_duplicate", "is duplicated", param+" must not contain an address twice."))
			continue
		}
		e := newEmailAddress(u, address, now)
		switch {
		case len(states) == 0 || states[i] == "verified":
			e.verification = verifiedByAdmin()
		case states[i] == "reserved":
			e.reserved = true
		default:
			p.note(problemValue(statusParam, statusParam+" must be one of: verified, reserved."))
		}
		list = append(list, e)
	}
	if len(list) > 0 {
		u.primaryEmail = list[0]
	}
	return list
}

// readAccountSwitches reads what a user may do with the account.
func readAccountSwitches(p *params, u *user) {
	if p.has("delete_self_enabled") {
		u.deleteSelf = p.flag("delete_self_enabled")
	}
	if p.has("create_organization_enabled") {
		u.createOrg = p.flag("create_organization_enabled")
	}
	if limit, ok := p.integer("create_organizations_limit", 0, 1<<31-1); ok {
		u.createOrgLimit = &limit
	}
}

// addresses lists the texts of all addresses of the user.
func (u *user) addresses() []string {
	texts := make([]string, len(u.emails))
	for i, e := range u.emails {
		texts[i] = e.address
	}
	return texts
}

// errDataMissing is the answer when a user lacks what the instance requires.
func errDataMissing(names []string) *apiError {
	e := newError(http.StatusUnprocessableEntity, "form_data_missing", "Missing data",
		strings.Join(names, ", ")+" data doesn't match user requirements set for this instance")
	e.items[0].Meta = map[string]any{"param_names": names}
	return e
}

func emptyToNil(s *string) *string {
	if s == nil || *s == "" {
		return nil
	}
	return s
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
