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

// RefreshToken is a refresh token as a request brought it.
type RefreshToken struct {
	Token secret.String
	// Kept: the client did not send it, but the server kept it for the client. If there is none that can be read, then the session that
	// it was of has ended, and nothing is wrong with what the client sent.
	Kept bool
}

// RefreshSession makes a new session token of a refresh token, for as long as Clerk says that the session is active. One call.
//
// Errors: *InvalidInputError, ErrSessionEnded, *RateLimitedError, *UnavailableError.
func (s *Service) RefreshSession(ctx context.Context, client Client, token RefreshToken) (refreshed *RefreshedSession, err error) {
	ctx, audit := s.begin(ctx, "refresh_session", client)
	defer audit.end(ctx, &err)

	handle, err := s.openRefreshToken(token)
	if err != nil {
		return nil, s.limiter.stranger(ctx, client, err)
	}
	audit.about(handle.UserID)
	if err := s.admit(ctx, essential, 1); err != nil {
		return nil, err
	}
	if err := s.limiter.session(ctx, handle.SessionID); err != nil {
		return nil, err
	}
	minted, err := s.api.CreateSessionToken(ctx, handle.SessionID)
	if err != nil && s.hasEnded(ctx, handle.SessionID, err) {
		return nil, ErrSessionEnded
	}
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	expires, err := tokenExpiry(minted)
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	return &RefreshedSession{
		ID:           handle.SessionID,
		UserID:       handle.UserID,
		SessionToken: SessionToken{Token: minted, TokenExpiresAt: expires},
	}, nil
}

// openRefreshToken reads a refresh token. One that expired is of a session that has ended.
func (s *Service) openRefreshToken(token RefreshToken) (refreshHandle, error) {
	var handle refreshHandle
	if token.Token.Reveal() == "" && !token.Kept {
		return handle, invalidField("refreshToken", FieldRequired)
	}
	err := s.open(purposeRefresh, "refreshToken", token.Token.Reveal(), &handle)
	if errors.Is(err, ErrVerificationExpired) || err != nil && token.Kept {
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
	if clerkErr.Uncertain() || clerkErr.Has("too_many_requests") {
		return false
	}
	found, err := s.api.GetSession(ctx, sessionID)
	if err != nil {
		return hasCode(err, "resource_not_found")
	}
	return !lives(found)
}

// SignOutInput says which session SignOut ends: that of RefreshToken or, without one that can be read, that of SessionToken.
type SignOutInput struct {
	Client       Client
	RefreshToken RefreshToken
	SessionToken secret.String
}

// SignOut ends a session, and returns its id, or "" of a session that expired. One call. A session that has ended before is no
// error.
//
// Errors: *InvalidInputError, ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) SignOut(ctx context.Context, in SignOutInput) (sessionID string, err error) {
	ctx, audit := s.begin(ctx, "sign_out", in.Client)
	defer audit.end(ctx, &err)

	handle, err := s.openRefreshToken(in.RefreshToken)
	switch {
	case err == nil:
		audit.about(handle.UserID)
		return handle.SessionID, s.signOut(ctx, handle.SessionID)
	case errors.Is(err, ErrSessionEnded) && !in.RefreshToken.Kept:
		return "", s.limiter.stranger(ctx, in.Client, nil)
	case !errors.Is(err, ErrSessionEnded) && in.RefreshToken.Token.Reveal() != "":
		return "", s.limiter.stranger(ctx, in.Client, err)
	}
	viewer, err := s.viewer(ctx, in.SessionToken)
	if err != nil {
		return "", s.limiter.stranger(ctx, in.Client, err)
	}
	audit.about(viewer.UserID)
	return viewer.SessionID, s.signOut(ctx, viewer.SessionID)
}

func (s *Service) signOut(ctx context.Context, sessionID string) error {
	if err := s.admit(ctx, essential, 1); err != nil {
		return err
	}
	if err := s.limiter.session(ctx, sessionID); err != nil {
		return err
	}
	return s.endSession(ctx, sessionID)
}

// endSession ends a session that may have ended before. One call.
func (s *Service) endSession(ctx context.Context, id string) error {
	if _, err := s.api.RevokeSession(ctx, id); err != nil && !s.hasEnded(ctx, id, err) {
		return s.outcome(ctx, err)
	}
	return nil
}

const (
	// endSessionsAtOnce bounds how many sessions SignOutEverywhere ends at the same time, and endSessionsPerGrant for how many it asks for calls at once.
	endSessionsAtOnce   = 4
	endSessionsPerGrant = 20
)

// SignOutEverywhere ends all sessions of the viewer, and returns how many. One call for each, and one to list them. The viewer's own
// is the last: whoever is told that it failed can send it again.
//
// Errors: ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) SignOutEverywhere(ctx context.Context, client Client, sessionToken secret.String) (ended int, err error) {
	ctx, audit := s.begin(ctx, "sign_out_everywhere", client)
	defer audit.end(ctx, &err)

	viewer, sessions, err := s.viewerSessions(ctx, client, sessionToken)
	if err != nil {
		return 0, err
	}
	audit.about(viewer.UserID)
	for some := range slices.Chunk(sessions, endSessionsPerGrant) {
		if err := admissionOf(ctx).more(ctx, len(some)); err != nil {
			return 0, err
		}
		var others errgroup.Group // one that fails does not keep the rest from being ended
		others.SetLimit(endSessionsAtOnce)
		for _, session := range some {
			if session.ID != viewer.SessionID {
				others.Go(func() error { return s.endSession(ctx, session.ID) })
			}
		}
		if err := others.Wait(); err != nil {
			return 0, err
		}
	}
	return len(sessions), s.endSession(ctx, viewer.SessionID)
}

// RevokeSession ends one of the viewer's own sessions. Two calls.
//
// Errors: *InvalidInputError, ErrSessionNotFound, ErrSessionTokenInvalid, *RateLimitedError, *UnavailableError.
func (s *Service) RevokeSession(ctx context.Context, client Client, sessionToken secret.String, sessionID string) (err error) {
	ctx, audit := s.begin(ctx, "revoke_session", client)
	defer audit.end(ctx, &err)

	if !idPattern.MatchString(sessionID) || !strings.HasPrefix(sessionID, "sess_") {
		return s.limiter.stranger(ctx, client, invalidField("sessionId", FieldInvalidFormat))
	}
	viewer, sessions, err := s.viewerSessions(ctx, client, sessionToken)
	if err != nil {
		return err
	}
	audit.about(viewer.UserID)
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
func (s *Service) Sessions(ctx context.Context, client Client, sessionToken secret.String) ([]AccountSession, error) {
	ctx, cancel := s.inTime(ctx)
	defer cancel()

	_, living, err := s.viewerSessions(ctx, client, sessionToken)
	if err != nil {
		return nil, err
	}
	var active []AccountSession
	for _, session := range living {
		if session.Status != statusActive {
			continue
		}
		active = append(active, AccountSession{
			ID:           session.ID,
			CreatedAt:    time.UnixMilli(session.CreatedAt).UTC(),
			LastActiveAt: time.UnixMilli(session.LastActiveAt).UTC(),
			ExpiresAt:    time.UnixMilli(session.ExpireAt).UTC(),
			Device:       sessionDevice(session.LatestActivity),
		})
	}
	return active, nil
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

// viewerSessions returns the viewer, and its sessions that live. One call, if Clerk remembers less than 500 sessions. A session
// token outlives its session by a minute: one whose session is not among them is not valid any more.
func (s *Service) viewerSessions(ctx context.Context, client Client, sessionToken secret.String) (*Viewer, []*clerk.Session, error) {
	viewer, err := s.viewer(ctx, sessionToken)
	if err != nil {
		return nil, nil, s.limiter.stranger(ctx, client, err)
	}
	if err := s.admit(ctx, essential, 1); err != nil {
		return nil, nil, err
	}
	if err := s.limiter.session(ctx, viewer.SessionID); err != nil {
		return nil, nil, err
	}
	sessions, err := s.api.ListSessions(ctx, viewer.UserID)
	if err != nil {
		return nil, nil, s.outcome(ctx, err)
	}
	sessions = slices.DeleteFunc(sessions, func(session *clerk.Session) bool { return !lives(session) })
	if !slices.ContainsFunc(sessions, func(own *clerk.Session) bool { return own.ID == viewer.SessionID }) {
		return nil, nil, ErrSessionTokenInvalid
	}
	return viewer, sessions, nil
}

// lives reports whether a session has not ended. One that is pending becomes active once its user has done what Clerk asks for.
func lives(session *clerk.Session) bool {
	return session.Status == statusActive || session.Status == statusPending
}
