package clerksvc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"golang.org/x/sync/errgroup"

	"clerkql/internal/secret"
)

// RefreshedSession is the success of RefreshSession.
type RefreshedSession struct {
	ID     string
	UserID string
	SessionToken
}

// RefreshSession makes a new session token of a refresh token, for as long as Clerk says that the session is active. One call.
//
// Errors: *InvalidInputError, ErrSessionEnded, *RateLimitedError, *UnavailableError.
func (s *Service) RefreshSession(ctx context.Context, refreshToken string) (*RefreshedSession, error) {
	ctx, cancel := s.begin(ctx)
	defer cancel()

	handle, err := s.openRefreshToken(refreshToken)
	if err != nil {
		return nil, err
	}
	token, err := s.api.CreateSessionToken(ctx, handle.SessionID)
	if err != nil && s.hasEnded(ctx, handle.SessionID, err) {
		return nil, ErrSessionEnded
	}
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	expires, err := tokenExpiry(token)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	return &RefreshedSession{
		ID:           handle.SessionID,
		UserID:       handle.UserID,
		SessionToken: SessionToken{Token: token, TokenExpiresAt: expires},
	}, nil
}

// openRefreshToken reads a refresh token. One that expired is of a session that has ended.
func (s *Service) openRefreshToken(token string) (refreshHandle, error) {
	var handle refreshHandle
	if token == "" {
		return handle, invalidField("refreshToken", FieldRequired)
	}
	err := s.open(purposeRefresh, "refreshToken", token, &handle)
	if errors.Is(err, ErrVerificationExpired) {
		err = ErrSessionEnded
	}
	return handle, err
}

// hasEnded reports whether a call about a session was refused because the session has ended. Clerk's specification has no code
// for that, so where the refusal is not that there is no such session, Clerk is asked what became of it.
func (s *Service) hasEnded(ctx context.Context, sessionID string, refusal error) bool {
	clerkErr := asClerkError(refusal)
	if clerkErr.Has("resource_not_found") {
		return true
	}
	if clerkErr.Uncertain() || clerkErr.Has("too_many_requests") || clerkErr.Has("clerk_key_invalid") {
		return false
	}
	found, err := s.api.GetSession(ctx, sessionID)
	if err != nil {
		return hasCode(err, "resource_not_found")
	}
	return found.Status != statusActive
}

// SignOutInput says which session SignOut ends: that of RefreshToken or, if that is empty, that of SessionToken.
type SignOutInput struct {
	RefreshToken string
	SessionToken secret.String
}

// SignOut ends a session, and returns its id, or "" of a session that expired. One call. A session that has ended before is no
// error.
//
// Errors: *InvalidInputError, ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) SignOut(ctx context.Context, in SignOutInput) (sessionID string, err error) {
	ctx, cancel := s.begin(ctx)
	defer cancel()

	if in.RefreshToken == "" {
		viewer, err := s.Viewer(ctx, in.SessionToken)
		if err != nil {
			return "", err
		}
		return viewer.SessionID, s.endSession(ctx, viewer.SessionID)
	}
	handle, err := s.openRefreshToken(in.RefreshToken)
	switch {
	case errors.Is(err, ErrSessionEnded):
		return "", nil
	case err != nil:
		return "", err
	}
	return handle.SessionID, s.endSession(ctx, handle.SessionID)
}

// endSession ends a session that may have ended before. One call.
func (s *Service) endSession(ctx context.Context, id string) error {
	if _, err := s.api.RevokeSession(ctx, id); err != nil && !s.hasEnded(ctx, id, err) {
		return s.outcome(ctx, err)
	}
	return nil
}

// endSessionsAtOnce bounds how many sessions SignOutEverywhere ends at the same time.
const endSessionsAtOnce = 4

// SignOutEverywhere ends all sessions of the viewer, and returns how many. One call for each, and one to list them.
//
// Errors: ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) SignOutEverywhere(ctx context.Context, sessionToken secret.String) (ended int, err error) {
	ctx, cancel := s.begin(ctx)
	defer cancel()

	sessions, err := s.viewerSessions(ctx, sessionToken)
	if err != nil {
		return 0, err
	}
	var all errgroup.Group
	all.SetLimit(endSessionsAtOnce)
	for _, session := range sessions {
		all.Go(func() error { return s.endSession(ctx, session.ID) })
	}
	if err := all.Wait(); err != nil {
		return 0, err
	}
	return len(sessions), nil
}

// RevokeSession ends one of the viewer's own sessions. Two calls.
//
// Errors: *InvalidInputError, ErrSessionNotFound, ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) RevokeSession(ctx context.Context, sessionToken secret.String, sessionID string) error {
	ctx, cancel := s.begin(ctx)
	defer cancel()

	if !idPattern.MatchString(sessionID) {
		return invalidField("sessionId", FieldInvalidFormat)
	}
	sessions, err := s.viewerSessions(ctx, sessionToken)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(sessions, func(own *clerk.Session) bool { return own.ID == sessionID }) {
		return ErrSessionNotFound
	}
	return s.endSession(ctx, sessionID)
}

// AccountSession is a session of the viewer.
type AccountSession struct {
	ID           string
	CreatedAt    time.Time
	LastActiveAt time.Time
	ExpiresAt    time.Time
	// Device is nil when Clerk does not know it.
	Device *SessionDevice
}

// SessionDevice is where a session was last seen. Its texts are empty where Clerk knows nothing.
type SessionDevice struct {
	Type, Browser, IPAddress, City, Country string
	Mobile                                  bool
}

// Sessions returns the viewer's active sessions, the newest first. One call.
//
// Errors: ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) Sessions(ctx context.Context, sessionToken secret.String) ([]AccountSession, error) {
	ctx, cancel := s.begin(ctx)
	defer cancel()

	active, err := s.viewerSessions(ctx, sessionToken)
	if err != nil {
		return nil, err
	}
	sessions := make([]AccountSession, len(active))
	for i, session := range active {
		sessions[i] = AccountSession{
			ID:           session.ID,
			CreatedAt:    time.UnixMilli(session.CreatedAt).UTC(),
			LastActiveAt: time.UnixMilli(session.LastActiveAt).UTC(),
			ExpiresAt:    time.UnixMilli(session.ExpireAt).UTC(),
			Device:       sessionDevice(session.LatestActivity),
		}
	}
	return sessions, nil
}

func sessionDevice(activity *clerk.SessionActivity) *SessionDevice {
	if activity == nil {
		return nil
	}
	return &SessionDevice{
		Type:      text(activity.DeviceType),
		Browser:   strings.TrimSpace(text(activity.BrowserName) + " " + text(activity.BrowserVersion)),
		IPAddress: text(activity.IPAddress),
		City:      text(activity.City),
		Country:   text(activity.Country),
		Mobile:    activity.IsMobile,
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// viewerSessions returns the viewer's active sessions. One call. A session token outlives its session by a minute: one whose
// session is not among them is not valid any more.
func (s *Service) viewerSessions(ctx context.Context, sessionToken secret.String) ([]*clerk.Session, error) {
	viewer, err := s.Viewer(ctx, sessionToken)
	if err != nil {
		return nil, err
	}
	sessions, err := s.api.ListActiveSessions(ctx, viewer.UserID)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	if !slices.ContainsFunc(sessions, func(own *clerk.Session) bool { return own.ID == viewer.SessionID }) {
		return nil, ErrSessionTokenInvalid
	}
	return sessions, nil
}
