package clerksvc

import (
	"context"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/clerk/clerk-sdk-go/v2/signintoken"

	"clerkql/internal/secret"
)

// CreateSession signs a user in. Clerk has it for development instances only and refuses it elsewhere with
// request_invalid_for_environment. Spec: createSession, POST /sessions. Not idempotent.
func (a *API) CreateSession(ctx context.Context, userID string) (*clerk.Session, error) {
	created := &clerk.Session{}
	if err := a.call(ctx, "createSession", http.MethodPost, "/sessions", &session.CreateParams{UserID: userID}, created); err != nil {
		return nil, err
	}
	return created, nil
}

// GetSession returns a session by id. Spec: GetSession, GET /sessions/{session_id}.
func (a *API) GetSession(ctx context.Context, id string) (*clerk.Session, error) {
	if err := checkID("GetSession", id); err != nil {
		return nil, err
	}
	found := &clerk.Session{}
	if err := a.call(ctx, "GetSession", http.MethodGet, "/sessions/"+id, nil, found); err != nil {
		return nil, err
	}
	return found, nil
}

// maxSessionPages bounds how many pages of sessions are read of one user.
const maxSessionPages = 10

// ListSessions returns the sessions of a user that Clerk remembers, in every status, the newest first. (The parameter status knows no
// pending sessions.) One call for each 500, the most that Clerk answers at once, and at most ten. Spec: GetSessionList, GET /sessions.
func (a *API) ListSessions(ctx context.Context, userID string) ([]*clerk.Session, error) {
	const pageSize = 500
	var all []*clerk.Session
	for page := range int64(maxSessionPages) {
		params := &session.ListParams{UserID: clerk.String(userID)}
		params.Limit, params.Offset = clerk.Int64(pageSize), clerk.Int64(page*pageSize)
		list := &clerk.SessionList{}
		if err := a.call(ctx, "GetSessionList", http.MethodGet, "/sessions?paginated=true", params, list); err != nil {
			return nil, err
		}
		all = append(all, list.Sessions...)
		if len(list.Sessions) < pageSize {
			break
		}
	}
	return all, nil
}

// Statuses of sessions that live.
const (
	statusActive  = "active"
	statusPending = "pending"
)

// RevokeSession ends a session. Spec: RevokeSession, POST /sessions/{session_id}/revoke. (There is no
// DELETE /sessions/{session_id}.)
func (a *API) RevokeSession(ctx context.Context, id string) (*clerk.Session, error) {
	if err := checkID("RevokeSession", id); err != nil {
		return nil, err
	}
	revoked := &clerk.Session{}
	if err := a.call(ctx, "RevokeSession", http.MethodPost, "/sessions/"+id+"/revoke", nil, revoked); err != nil {
		return nil, err
	}
	return revoked, nil
}

// CreateSessionToken mints a session token (JWT) of the instance's usual life, 60 seconds unless configured
// otherwise. Spec: CreateSessionToken, POST /sessions/{session_id}/tokens.
func (a *API) CreateSessionToken(ctx context.Context, id string) (secret.String, error) {
	if err := checkID("CreateSessionToken", id); err != nil {
		return secret.String{}, err
	}
	token := &clerk.SessionToken{}
	params := &session.CreateTokenParams{}
	if err := a.call(ctx, "CreateSessionToken", http.MethodPost, "/sessions/"+id+"/tokens", params, token); err != nil {
		return secret.String{}, err
	}
	return secret.New(token.JWT), nil
}

// SignInToken is a ticket (schema SignInToken).
type SignInToken struct {
	// ID is what RevokeSignInToken wants to know.
	ID string
	// Token signs in whoever redeems it, past every check.
	Token secret.String
}

// CreateSignInToken mints a ticket that signs the user in without a password, a second factor or any other
// check, once. Mint it after every proof and never before. life is rounded to seconds; Clerk's own default would
// be 30 days. Spec: CreateSignInToken, POST /sign_in_tokens. Not idempotent.
func (a *API) CreateSignInToken(ctx context.Context, userID string, life time.Duration) (*SignInToken, error) {
	created := &clerk.SignInToken{}
	params := &signintoken.CreateParams{
		UserID:           clerk.String(userID),
		ExpiresInSeconds: clerk.Int64(int64(life / time.Second)),
	}
	if err := a.call(ctx, "CreateSignInToken", http.MethodPost, "/sign_in_tokens", params, created); err != nil {
		return nil, err
	}
	if created.ID == "" || created.Token == "" {
		return nil, &ClerkError{Operation: "CreateSignInToken", Status: http.StatusOK, cause: errUnreadable}
	}
	return &SignInToken{ID: created.ID, Token: secret.New(created.Token)}, nil
}

// RevokeSignInToken makes a ticket that was not redeemed worthless. Spec: RevokeSignInToken,
// POST /sign_in_tokens/{sign_in_token_id}/revoke.
func (a *API) RevokeSignInToken(ctx context.Context, id string) error {
	if err := checkID("RevokeSignInToken", id); err != nil {
		return err
	}
	return a.call(ctx, "RevokeSignInToken", http.MethodPost, "/sign_in_tokens/"+id+"/revoke", nil, &clerk.SignInToken{})
}
