package clerkemu

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// sessionBody is the schema Session.
type sessionBody struct {
	Object         string        `json:"object"`
	ID             string        `json:"id"`
	UserID         string        `json:"user_id"`
	ClientID       string        `json:"client_id"`
	Status         string        `json:"status"`
	LastOrgID      *string       `json:"last_active_organization_id"`
	LastActiveAt   int64         `json:"last_active_at"`
	LatestActivity *activityBody `json:"latest_activity"`
	ExpireAt       int64         `json:"expire_at"`
	AbandonAt      int64         `json:"abandon_at"`
	CreatedAt      int64         `json:"created_at"`
	UpdatedAt      int64         `json:"updated_at"`
}

func newSessionBody(sess *session, now time.Time) sessionBody {
	return sessionBody{
		Object: "session", ID: sess.id, UserID: sess.owner.id, ClientID: sess.client.id, Status: sess.statusAt(now),
		LastActiveAt: sess.lastActiveAt.UnixMilli(), LatestActivity: newActivityBody(sess.activity),
		ExpireAt: sess.expireAt.UnixMilli(), AbandonAt: sess.abandonAt.UnixMilli(),
		CreatedAt: sess.createdAt.UnixMilli(), UpdatedAt: sess.updatedAt.UnixMilli(),
	}
}

// openSession signs a user in on a client. The store must be locked.
func (s *Server) openSession(u *user, c *client, a *activity, now time.Time) *session {
	const untilAbandoned = 30 * 24 * time.Hour
	sess := &session{
		id: newID(prefixSession), client: c, owner: u, status: statusActive, activity: a, lastActiveAt: now,
		expireAt: now.Add(s.opts.SessionLife), abandonAt: now.Add(untilAbandoned), createdAt: now, updatedAt: now,
	}
	s.store.addSession(sess)
	u.lastSignInAt, u.lastActiveAt, u.updatedAt = now, now, now
	return sess
}

// createSession is createSession, POST /sessions. Clerk has it for tests
// only: a production instance refuses it. What it answers for users who may
// not sign in is inferred [I].
func (s *Server) createSession(r *request) (any, error) {
	if s.opts.Production {
		return nil, newError(http.StatusBadRequest, "request_invalid_for_environment", "Request invalid for environment",
			"Request only valid for development instances.")
	}
	userID, org := r.params.required("user_id"), r.params.str("active_organization_id")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	if org != nil {
		return nil, errNotFound("No organization was found with id " + clip(*org))
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(userID)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	if err := u.maySignIn(now); err != nil {
		return nil, err
	}
	return newSessionBody(s.openSession(u, newClient(now), nil, now), now), nil
}

// maySignIn answers for users who are kept from signing in [I].
func (u *user) maySignIn(now time.Time) error {
	switch {
	case u.banned:
		return newError(http.StatusForbidden, "user_banned", "User banned", "This user is banned.")
	case u.lockout.lockedAt(now):
		return newError(http.StatusForbidden, "user_locked", "User locked", "This user is locked.")
	case u.deprovisioned:
		return newError(http.StatusBadRequest, "deprovisioned", "User deprovisioned", "This user has been deprovisioned.")
	}
	return nil
}

// getSession is GetSession, GET /sessions/{session_id}.
func (s *Server) getSession(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	sess, err := s.store.session(r.id)
	if err != nil {
		return nil, err
	}
	return newSessionBody(sess, s.clock.Now()), nil
}

// revokeSession is RevokeSession, POST /sessions/{session_id}/revoke. A
// session that is not active stays as it is [I].
func (s *Server) revokeSession(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	sess, err := s.store.session(r.id)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	if sess.statusAt(now) == statusActive {
		sess.status, sess.updatedAt = statusRevoked, now
	}
	return newSessionBody(sess, now), nil
}

// sessionPage is the paginated answer of GetSessionList.
type sessionPage struct {
	Data       []sessionBody `json:"data"`
	TotalCount int           `json:"total_count"`
}

// getSessionList is GetSessionList, GET /sessions, newest first. It needs a
// user_id or a client_id [I].
func (s *Server) getSessionList(r *request) (any, error) {
	if err := r.queryOnly("user_id", "client_id", "status", "limit", "offset", "paginated"); err != nil {
		return nil, err
	}
	limit, offset, err := r.page()
	if err != nil {
		return nil, err
	}
	status := r.query.Get("status")
	if status != "" && !slices.Contains(
		[]string{"abandoned", statusActive, "ended", statusExpired, "removed", "replaced", statusRevoked}, status) {
		return nil, paramError("status", "form_param_value_invalid", "is invalid", "status is not a session status.")
	}
	paginated := false
	if text := r.query.Get("paginated"); text != "" {
		if paginated, err = strconv.ParseBool(text); err != nil {
			return nil, paramError("paginated", "form_param_value_invalid", "is invalid", "paginated must be a boolean.")
		}
	}
	userID, clientID := r.query.Get("user_id"), r.query.Get("client_id")
	if userID == "" && clientID == "" {
		e := newError(http.StatusUnprocessableEntity, "form_param_missing", "is missing",
			"At least one of client_id, user_id must be included.")
		e.items[0].Meta = map[string]any{"param_names": []string{"client_id", "user_id"}}
		return nil, e
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	now := s.clock.Now()
	all := []sessionBody{}
	for _, sess := range slices.Backward(s.store.sessionsOf(userID, clientID)) {
		if body := newSessionBody(sess, now); status == "" || body.Status == status {
			all = append(all, body)
		}
	}
	page := all[min(offset, len(all)):min(offset+limit, len(all))]
	if paginated {
		return sessionPage{Data: page, TotalCount: len(all)}, nil
	}
	return page, nil
}

// sessionsOf finds the sessions of a user, of a client, or of both.
func (st *store) sessionsOf(userID, clientID string) []*session {
	if clientID != "" {
		var found []*session
		if c := st.clients[clientID]; c != nil {
			for _, sess := range c.sessions {
				if userID == "" || sess.owner.id == userID {
					found = append(found, sess)
				}
			}
		}
		return found
	}
	if u := st.users[userID]; u != nil {
		return u.sessions
	}
	return nil
}
