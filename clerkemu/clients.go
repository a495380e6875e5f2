package clerkemu

import "net/http"

// clientAnswer is the answer of a Frontend API operation. The token of the
// client goes into the Authorization header.
type clientAnswer struct {
	body  any
	token string
}

// clientClaims are the claims of a client token, which is good until the next
// one is made [I].
type clientClaims struct {
	ID       string `json:"id"`
	Rotation string `json:"rotating_token"`
}

// clientOf finds the client that a token names; nil when the token is not the
// newest one of a client. The store must be locked.
func (s *Server) clientOf(token string) *client {
	var claims clientClaims
	if token == "" || !s.signer.verify(token, &claims) {
		return nil
	}
	c := s.store.clients[claims.ID]
	if c == nil || claims.Rotation == "" || claims.Rotation != c.rotation {
		return nil
	}
	return c
}

// createClientSessionToken is createSessionToken of the Frontend API, POST
// /client/sessions/{session_id}/tokens. That a missing client and a foreign
// session are told apart is inferred [I].
func (s *Server) createClientSessionToken(r *request) (any, error) {
	userID, err := s.useClientSession(r)
	if err != nil {
		return nil, err
	}
	token, err := s.mintSessionToken(userID, r.id, s.opts.SessionTokenLife)
	return clientAnswer{body: token, token: r.caller.clientToken}, err
}

// useClientSession notes that a session of the client is in use, and tells
// whose it is.
func (s *Server) useClientSession(r *request) (userID string, err error) {
	org := r.params.str("organization_id")
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	c := s.clientOf(r.caller.clientToken)
	if c == nil {
		return "", newError(http.StatusUnauthorized, "signed_out", "Signed out", "You are signed out.")
	}
	sess := s.store.sessions[r.id]
	if sess == nil || sess.client != c {
		return "", errSessionNotFound()
	}
	if org != nil && *org != "" {
		return "", newError(http.StatusForbidden, "not_a_member_in_organization", "Not a member",
			"The user is not a member of the organization.")
	}
	return sess.use(s.clock.Now())
}
