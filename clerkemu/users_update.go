package clerkemu

import (
	"encoding/json"
	"net/http"
)

// updateUser is UpdateUser, PATCH /users/{user_id}. Null is taken as absent
// [I]; metadata replaces what was there. The document allows
// sign_out_of_other_sessions with a password only: without one it is refused
// with form_conditional_param_missing [I].
func (s *Server) updateUser(r *request) (any, error) {
	p := r.params
	names := []string{
		"external_id", "first_name", "last_name", "locale", "primary_email_address_id",
		"notify_primary_email_address_changed", "password", "skip_password_checks", "sign_out_of_other_sessions",
		"totp_secret", "backup_codes", "delete_self_enabled", "create_organization_enabled",
		"create_organizations_limit", "legal_accepted_at", "skip_legal_checks", "created_at", "bypass_client_trust",
	}
	if r.version < "2026-05-12" { // which moved metadata to UpdateUserMetadata
		names = append(names, "public_metadata", "private_metadata", "unsafe_metadata")
	}
	p.only(names...)
	change, err := s.readUserChange(r)
	if err != nil {
		return nil, err
	}
	var hash []byte
	if change.password != nil {
		if hash, err = s.hashPassword(r.ctx, *change.password); err != nil {
			return nil, err
		}
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(r.id)
	if err != nil {
		return nil, err
	}
	if err := s.applyUserChange(u, r.params, change, hash); err != nil {
		return nil, err
	}
	return s.userBody(u), nil
}

// userChange is what UpdateUser was sent, checked.
type userChange struct {
	password    *string
	totpSecret  *string
	backupCodes []string
	strings     map[string]*string // first_name and the like, when present
	metadata    map[string]map[string]any
}

func (s *Server) readUserChange(r *request) (userChange, error) {
	p := r.params
	s.store.mu.Lock()
	u, err := s.store.user(r.id)
	var addresses []string
	if err == nil {
		addresses = u.addresses()
	}
	s.store.mu.Unlock()
	if err != nil {
		return userChange{}, err
	}

	change := userChange{strings: map[string]*string{}, metadata: map[string]map[string]any{}}
	for _, name := range []string{"first_name", "last_name", "locale", "external_id", "primary_email_address_id"} {
		if value := p.name(name); value != nil {
			change.strings[name] = value
		}
	}
	for _, name := range []string{"public_metadata", "private_metadata", "unsafe_metadata"} {
		if value := p.object(name); value != nil {
			change.metadata[name] = value
		}
	}
	change.totpSecret, change.backupCodes = readSecondFactor(p)
	if change.password = p.str("password"); change.password != nil {
		p.problems = append(p.problems, passwordProblems(*change.password, addresses, p.flag("skip_password_checks"))...)
	}
	// Types only: applyUserChange reads them again.
	readAccountSwitches(p, &user{})
	p.flag("sign_out_of_other_sessions")
	if p.has("sign_out_of_other_sessions") && !p.has("password") {
		p.note(problemMissingFor("password", "sign_out_of_other_sessions"))
	}
	p.flag("bypass_client_trust")
	p.timestamp("legal_accepted_at")
	p.timestamp("created_at")
	return change, p.err()
}

// applyUserChange changes all or nothing. The store must be locked.
func (s *Server) applyUserChange(u *user, p *params, change userChange, hash []byte) error {
	now := s.clock.Now()
	primary := u.primaryEmail
	if id := change.strings["primary_email_address_id"]; id != nil {
		e := s.store.emails[*id]
		if e == nil || e.owner != u {
			return errNotFound("The email address does not belong to this user.")
		}
		if !e.verified() {
			return errVerificationNeeded("primary_email_address_id")
		}
		primary = e
	}
	if id, ok := change.strings["external_id"]; ok {
		if err := s.store.setExternalID(u, emptyToNil(id)); err != nil {
			return err
		}
	}

	u.primaryEmail = primary
	for name, field := range map[string]**string{"first_name": &u.firstName, "last_name": &u.lastName, "locale": &u.locale} {
		if value, ok := change.strings[name]; ok {
			*field = emptyToNil(value)
		}
	}
	for name, field := range u.metadata() {
		if value, ok := change.metadata[name]; ok {
			*field = value
		}
	}
	readAccountSwitches(p, u)
	if p.has("bypass_client_trust") {
		u.bypassClientTrust = p.flag("bypass_client_trust")
	}
	if accepted := p.timestamp("legal_accepted_at"); !accepted.IsZero() {
		u.legalAcceptedAt = accepted
	}
	if created := p.timestamp("created_at"); !created.IsZero() {
		s.store.setCreatedAt(u, created)
	}
	if change.totpSecret != nil {
		u.enableTOTP(*change.totpSecret, now)
	}
	if p.has("backup_codes") {
		u.backupCodes = change.backupCodes
	}
	if hash != nil {
		u.passwordHash, u.passwordUpdatedAt = hash, now
		if p.flag("sign_out_of_other_sessions") {
			u.revokeSessions(now)
		}
	}
	u.updatedAt = now
	return nil
}

// metadata names the three metadata fields as the Backend API does.
func (u *user) metadata() map[string]*map[string]any {
	return map[string]*map[string]any{
		"public_metadata":  &u.publicMetadata,
		"private_metadata": &u.privateMetadata,
		"unsafe_metadata":  &u.unsafeMetadata,
	}
}

// updateUserMetadata is UpdateUserMetadata, PATCH /users/{user_id}/metadata:
// a deep merge, in which null removes a key.
func (s *Server) updateUserMetadata(r *request) (any, error) {
	p := r.params
	p.only("public_metadata", "private_metadata", "unsafe_metadata")
	patches := map[string]map[string]any{}
	for name := range (&user{}).metadata() {
		if patch := p.object(name); patch != nil {
			patches[name] = patch
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(r.id)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	if s.opts.RateLimit >= 0 {
		if wait, ok := u.metadataWindow.take(now, metadataRateLimit); !ok {
			return nil, errTooMany(wait)
		}
	}
	merged := map[string]map[string]any{}
	for name, patch := range patches {
		merged[name] = mergeMetadata(*u.metadata()[name], patch)
		if text, err := json.Marshal(merged[name]); err != nil || len(text) > maxMetadataBytes {
			return nil, &apiError{status: http.StatusUnprocessableEntity, items: []errorItem{problemTooLarge(name)}}
		}
	}
	for name, field := range u.metadata() {
		if value, ok := merged[name]; ok {
			*field = value
		}
	}
	u.updatedAt = now
	return s.userBody(u), nil
}

// mergeMetadata makes a new map and leaves both arguments as they are.
func mergeMetadata(old, patch map[string]any) map[string]any {
	merged := make(map[string]any, len(old)+len(patch))
	for key, value := range old {
		merged[key] = value
	}
	for key, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(merged, key)
		case isObject:
			before, _ := merged[key].(map[string]any)
			merged[key] = mergeMetadata(before, inner)
		default:
			merged[key] = value
		}
	}
	return merged
}
