package clerkemu

import (
	"net/http"
	"slices"
	"time"
)

// createEmailAddress is CreateEmailAddress, POST /email_addresses. An address
// that is created unverified is not reserved: others may still take it.
func (s *Server) createEmailAddress(r *request) (any, error) {
	const param = "email_address"
	userID, text := r.params.required("user_id"), r.params.required(param)
	verified, primary := r.params.flag("verified"), r.params.flag("primary")
	address, ok := normalizeEmail(text)
	if !ok && len(r.params.problems) == 0 {
		r.params.note(problemEmailFormat(param))
	}
	if err := r.params.err(); err != nil {
		return nil, err
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(userID)
	if err != nil {
		return nil, err
	}
	if len(u.emails) >= maxEmailAddressesPerUser {
		return nil, paramError(param, "form_param_array_size_exceeded", "too many", "The user has too many email addresses.")
	}
	if slices.ContainsFunc(u.emails, func(e *emailAddress) bool { return e.address == address }) {
		return nil, errIdentifierExists(param)
	}
	now := s.clock.Now()
	e := newEmailAddress(u, address, now)
	if err := s.store.addressFree(e); err != nil {
		return nil, err
	}
	if verified {
		e.verification = verifiedByAdmin()
	}
	if primary && !verified {
		return nil, errVerificationNeeded("primary")
	}
	if primary || len(u.emails) == 0 {
		u.primaryEmail = e
	}
	u.emails = append(u.emails, e)
	u.updatedAt = now
	s.store.indexEmail(e)
	return newEmailBody(e), nil
}

func newEmailAddress(owner *user, address string, now time.Time) *emailAddress {
	return &emailAddress{id: newID(prefixEmailAddress), address: address, owner: owner, createdAt: now, updatedAt: now}
}

// verifiedByAdmin is how the Backend API says that it was told so.
func verifiedByAdmin() *addressVerification {
	return &addressVerification{object: "verification_admin", strategy: "admin"}
}

// getEmailAddress is GetEmailAddress, GET /email_addresses/{email_address_id}.
func (s *Server) getEmailAddress(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	e, err := s.store.email(r.id)
	if err != nil {
		return nil, err
	}
	return newEmailBody(e), nil
}

// updateEmailAddress is UpdateEmailAddress, PATCH
// /email_addresses/{email_address_id}. verified: false changes nothing [I].
func (s *Server) updateEmailAddress(r *request) (any, error) {
	verified, primary := r.params.flag("verified"), r.params.flag("primary")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	e, err := s.store.email(r.id)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	if primary && !verified && !e.verified() {
		return nil, errVerificationNeeded("primary")
	}
	if verified && !e.verified() {
		if s.store.addressFree(e) != nil {
			return nil, errIdentificationClaimed()
		}
		s.store.markVerified(e, verifiedByAdmin())
		e.updatedAt = now
	}
	if primary {
		e.owner.primaryEmail = e
		e.owner.updatedAt = now
	}
	return newEmailBody(e), nil
}

// deleteEmailAddress is DeleteEmailAddress, DELETE
// /email_addresses/{email_address_id}. The last address of a user stays [I].
func (s *Server) deleteEmailAddress(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	e, err := s.store.email(r.id)
	if err != nil {
		return nil, err
	}
	u := e.owner
	if len(u.emails) == 1 {
		return nil, newError(http.StatusBadRequest, "identification_deletion_failed", "Deletion failed",
			"The last identification of a user cannot be deleted.")
	}
	s.store.unindexEmail(e)
	u.emails = slices.DeleteFunc(u.emails, func(other *emailAddress) bool { return other == e })
	if u.primaryEmail == e {
		u.primaryEmail = u.emails[0]
		if i := slices.IndexFunc(u.emails, (*emailAddress).verified); i >= 0 {
			u.primaryEmail = u.emails[i]
		}
	}
	u.updatedAt = s.clock.Now()
	return deletedBody{Object: "email_address", ID: e.id, Deleted: true}, nil
}

// errIdentificationClaimed is the answer when an address cannot become
// verified, because another user verified or reserved it meanwhile [I].
func errIdentificationClaimed() *apiError {
	return newError(http.StatusBadRequest, "identification_claimed", "Identification claimed",
		"The email address belongs to another user.")
}
