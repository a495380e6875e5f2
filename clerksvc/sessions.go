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
	sessions := session.Client{Backend: a.backend}
	created, err := sessions.Create(ctx, &session.CreateParams{UserID: userID})
	if err != nil {
		return nil, callError("createSession", err)
	}
	return created, nil
}

// GetSession returns a session by id. Spec: GetSession, GET /sessions/{session_id}.
func (a *API) GetSession(ctx context.Context, id string) (*clerk.Session, error) {
	if err := checkID("GetSession", id); err != nil {
		return nil, err
	}
	sessions := session.Client{Backend: a.backend}
	found, err := sessions.Get(ctx, id)
	if err != nil {
		return nil, callError("GetSession", err)
	}
	return found, nil
}

// maxSessionPages bounds how many pages of sessions are read of one user.
const maxSessionPages = 10

// ListSessions returns the sessions of a user that Clerk remembers, in every status, the newest first. (The parameter status knows no
// pending sessions.) One call for each 500, the most that Clerk answers at once, and at most ten. Spec: GetSessionList, GET /sessions.
func (a *API) ListSessions(ctx context.Context, userID string) ([]*clerk.Session, error) {
	const pageSize = 500
	sessions := session.Client{Backend: a.backend}
	var all []*clerk.Session
	for page := range int64(maxSessionPages) {
		params := &session.ListParams{UserID: clerk.String(userID)}
		params.Limit, params.Offset = clerk.Int64(pageSize), clerk.Int64(page*pageSize)
		list, err := sessions.List(ctx, params)
		if err != nil {
			return nil, callError("GetSessionList", err)
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
	sessions := session.Client{Backend: a.backend}
	revoked, err := sessions.Revoke(ctx, &session.RevokeParams{ID: id})
	if err != nil {
		return nil, callError("RevokeSession", err)
	}
	return revoked, nil
}

// CreateSessionToken mints a session token (JWT) of the instance's usual life, 60 seconds unless configured
// otherwise. Spec: CreateSessionToken, POST /sessions/{session_id}/tokens.
func (a *API) CreateSessionToken(ctx context.Context, id string) (secret.String, error) {
	if err := checkID("CreateSessionToken", id); err != nil {
		return secret.String{}, err
	}
	sessions := session.Client{Backend: a.backend}
	token, err := sessions.CreateToken(ctx, &session.CreateTokenParams{ID: id})
	if err != nil {
		return secret.String{}, callError("CreateSessionToken", err)
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
	tokens := signintoken.Client{Backend: a.backend}
	created, err := tokens.Create(ctx, &signintoken.CreateParams{
		UserID:           clerk.String(userID),
		ExpiresInSeconds: clerk.Int64(int64(life / time.Second)),
	})
	if err != nil {
		return nil, callError("CreateSignInToken", err)
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
	tokens := signintoken.Client{Backend: a.backend}
	_, err := tokens.Revoke(ctx, id)
	return callError("RevokeSignInToken", err)
}
