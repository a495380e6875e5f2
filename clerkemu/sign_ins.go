package clerkemu

import (
	"net/http"
	"time"
)

// What sign-in tickets are called in the Frontend API, and inside of them.
const (
	strategyTicket  = "ticket"
	kindSignInToken = "sign_in_token"
)

// ticketClaims are the claims of a ticket. Their names are inferred [I]:
// clients must not look inside.
type ticketClaims struct {
	Life     int64  `json:"eis"` // in seconds
	ExpireAt int64  `json:"exp"`
	Instance string `json:"iid"`
	TokenID  string `json:"sid"`
	Kind     string `json:"st"`
}

// createSignIn is createSignIn of the Frontend API, POST /client/sign_ins. The
// one strategy is "ticket": it redeems a sign-in token, once, and the sign-in
// is complete, without any second factor.
func (s *Server) createSignIn(r *request) (any, error) {
	now := s.clock.Now()
	if err := s.signIns.check(r.caller.ip, now); err != nil {
		return nil, err
	}
	strategy := r.params.required("strategy")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	if strategy != strategyTicket {
		return nil, paramError("strategy", "form_param_value_invalid", "is invalid",
			"The embedded Clerk knows the strategy ticket only.")
	}
	ticket := r.params.required("ticket")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	claims, err := s.readTicket(ticket, now)
	if err != nil {
		return nil, err
	}
	body, newest, err := s.redeem(claims.TokenID, r.caller, now)
	if err != nil {
		return nil, err
	}
	// Signing takes its time: it is done without the lock.
	sess := &body.Client.Sessions[0]
	if sess.LastActiveToken, err = s.mintSessionToken(sess.User.ID, sess.ID, s.opts.SessionTokenLife); err != nil {
		return nil, err
	}
	token, err := s.signer.sign(newest)
	return clientAnswer{body: body, token: token}, err
}

// readTicket checks the ticket itself. The first thing wrong with a ticket is
// what is answered [I]: signature and kind, then age, then what became of it.
func (s *Server) readTicket(ticket string, now time.Time) (ticketClaims, error) {
	var claims ticketClaims
	if !s.signer.verify(ticket, &claims) || claims.Kind != kindSignInToken || claims.Instance != s.signer.instanceID {
		return claims, errTicketInvalid()
	}
	if now.Unix() >= claims.ExpireAt {
		return claims, newError(http.StatusBadRequest, "ticket_expired_code", "Ticket expired", "The ticket has expired.")
	}
	return claims, nil
}

// redeem uses up a sign-in token and opens a session. Whoever is refused
// leaves the token pending [I]. It returns the answer, which lacks the session
// token only, and the claims of the client's new token.
func (s *Server) redeem(tokenID string, by caller, now time.Time) (*signInAnswer, clientClaims, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	c := s.clientOf(by.clientToken)
	if c == nil {
		c = newClient(now)
	}
	if c.activeSession(now) != nil {
		// The instance is in single session mode [I].
		return nil, clientClaims{}, newError(http.StatusBadRequest, "session_exists", "Session already exists",
			"This client is signed in already.")
	}
	t := s.store.signInTokens[tokenID]
	if t == nil { // its user was deleted, or it was forgotten
		return nil, clientClaims{}, errTicketInvalid()
	}
	if err := t.mayBeUsed(); err != nil {
		return nil, clientClaims{}, err
	}
	if err := t.owner.maySignIn(now); err != nil {
		return nil, clientClaims{}, err
	}
	t.status, t.updatedAt = statusAccepted, now
	c.rotation, c.updatedAt = newTraceID(), now
	sess := s.openSession(t.owner, c, newActivity(by), now)
	return s.newSignInAnswer(sess, now), clientClaims{ID: c.id, Rotation: c.rotation}, nil
}

// mayBeUsed tells why a sign-in token that is not pending cannot be used.
func (t *signInToken) mayBeUsed() error {
	switch t.status {
	case statusPending:
		return nil
	case statusRevoked:
		return newError(http.StatusBadRequest, "sign_in_token_revoked_code", "Sign-in token revoked",
			"This sign-in token has been revoked.")
	}
	return newError(http.StatusBadRequest, "sign_in_token_already_used_code", "Sign-in token already used",
		"This sign-in token has already been used.")
}

func errTicketInvalid() *apiError {
	return newError(http.StatusBadRequest, "ticket_invalid_code", "Ticket invalid", "The ticket is invalid.")
}
