package clerkemu

import (
	"net/http"
	"net/url"
	"time"
)

// signInTokenBody is the schema SignInToken.
type signInTokenBody struct {
	Object    string  `json:"object"`
	ID        string  `json:"id"`
	Status    string  `json:"status"`
	UserID    string  `json:"user_id"`
	Token     string  `json:"token,omitempty"`
	URL       *string `json:"url"`
	CreatedAt int64   `json:"created_at"`
	UpdatedAt int64   `json:"updated_at"`
}

func newSignInTokenBody(t *signInToken) signInTokenBody {
	return signInTokenBody{
		Object: "sign_in_token", ID: t.id, Status: t.status, UserID: t.owner.id,
		CreatedAt: t.createdAt.UnixMilli(), UpdatedAt: t.updatedAt.UnixMilli(),
	}
}

// createSignInToken is CreateSignInToken, POST /sign_in_tokens. It asks for no
// proof of anything and does not look at bans and locks [I]: to do so is the
// caller's part.
func (s *Server) createSignInToken(r *request) (any, error) {
	const defaultLife, longest = 2_592_000, 315_360_000
	userID, org := r.params.required("user_id"), r.params.str("org_id")
	seconds, ok := r.params.integer("expires_in_seconds", 1, longest)
	if !ok {
		seconds = defaultLife
	}
	if err := r.params.err(); err != nil {
		return nil, err
	}
	if org != nil {
		return nil, errNotFound("No organization was found with id " + clip(*org))
	}
	now := s.clock.Now()
	t := &signInToken{
		id: newID(prefixSignInToken), status: statusPending,
		expireAt: now.Add(time.Duration(seconds) * time.Second), createdAt: now, updatedAt: now,
	}
	ticket, err := s.signer.sign(ticketClaims{
		Life: seconds, ExpireAt: t.expireAt.Unix(), Instance: s.signer.instanceID, TokenID: t.id, Kind: kindSignInToken,
	})
	if err != nil {
		return nil, err
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if t.owner, err = s.store.user(userID); err != nil {
		return nil, err
	}
	s.store.addSignInToken(t)
	body := newSignInTokenBody(t)
	link := s.FrontendAPIURL() + "/sign-in?__clerk_ticket=" + url.QueryEscape(ticket)
	body.Token, body.URL = ticket, &link
	return body, nil
}

// revokeSignInToken is RevokeSignInToken, POST
// /sign_in_tokens/{sign_in_token_id}/revoke.
func (s *Server) revokeSignInToken(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	t, err := s.store.signInToken(r.id)
	if err != nil {
		return nil, err
	}
	if t.status != statusPending {
		return nil, newError(http.StatusBadRequest, "sign_in_token_cannot_be_revoked_code", "Cannot be revoked",
			"Only a pending sign-in token can be revoked.")
	}
	t.status, t.updatedAt = statusRevoked, s.clock.Now()
	return newSignInTokenBody(t), nil
}
