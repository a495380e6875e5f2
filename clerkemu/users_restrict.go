package clerkemu

import "time"

// banUser is BanUser, POST /users/{user_id}/ban. It revokes the sessions.
func (s *Server) banUser(r *request) (any, error) {
	return s.restrict(r, func(u *user, now time.Time) { u.ban(now) })
}

// unbanUser is UnbanUser, POST /users/{user_id}/unban.
func (s *Server) unbanUser(r *request) (any, error) {
	return s.restrict(r, func(u *user, _ time.Time) { u.banned = false })
}

// lockUser is LockUser, POST /users/{user_id}/lock.
func (s *Server) lockUser(r *request) (any, error) {
	if !*s.opts.LockoutEnabled {
		return nil, errFeatureOff("")
	}
	return s.restrict(r, func(u *user, now time.Time) { u.lockout = s.newLockout(now) })
}

// unlockUser is UnlockUser, POST /users/{user_id}/unlock.
func (s *Server) unlockUser(r *request) (any, error) {
	if !*s.opts.LockoutEnabled {
		return nil, errFeatureOff("")
	}
	return s.restrict(r, func(u *user, _ time.Time) { u.lockout = lockout{} })
}

func (s *Server) restrict(r *request, change func(*user, time.Time)) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(r.id)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	change(u, now)
	u.updatedAt = now
	return s.userBody(u), nil
}

func (u *user) ban(now time.Time) {
	u.banned = true
	u.revokeSessions(now)
}

// newLockout locks for the configured duration.
func (s *Server) newLockout(now time.Time) lockout {
	if s.opts.LockoutDuration < 0 {
		return lockout{on: true}
	}
	return lockout{on: true, until: now.Add(s.opts.LockoutDuration)}
}
