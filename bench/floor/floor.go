// Package floor makes the calls of the measured flows with Clerk's SDK and nothing around it: what a flow costs at least, as long as it is made with the SDK. The
// transport is tuned as far as it goes: connections stay open, one for each worker. There is no server in front, no GraphQL, no log, no limit; what
// Clerk answers is decoded into the SDK's types and not looked at.
package floor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	"github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"clerkql/bench/flows"
)

// callTimeout bounds a call. It is longer than a call is ever held back.
const callTimeout = time.Minute

// Caller makes the calls of flows.
type Caller struct {
	backend  clerk.Backend
	users    *user.Client
	sessions *session.Client
	key      *clerk.JSONWebKey
}

// New returns a Caller of the Clerk at a URL. It asks for the key that session tokens are verified with, once.
func New(ctx context.Context, clerkURL, secretKey string, workers int) (*Caller, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = workers, workers
	cfg := clerk.ClientConfig{BackendConfig: clerk.BackendConfig{
		HTTPClient: &http.Client{Timeout: callTimeout, Transport: transport},
		URL:        clerk.String(clerkURL),
		Key:        clerk.String(secretKey),
	}}
	c := &Caller{backend: clerk.NewBackend(&cfg.BackendConfig), users: user.NewClient(&cfg), sessions: session.NewClient(&cfg)}
	keys, err := jwks.NewClient(&cfg).Get(ctx, &jwks.GetParams{})
	if err != nil {
		return nil, err
	}
	if len(keys.Keys) != 1 {
		return nil, errors.New("not one key")
	}
	c.key = keys.Keys[0]
	return c, nil
}

// Answer is what a flow comes to.
type Answer struct {
	UserID         string `json:"userId,omitempty"`
	SessionID      string `json:"sessionId,omitempty"`
	SessionToken   string `json:"sessionToken,omitempty"`
	RefreshToken   string `json:"refreshToken,omitempty"` // the id of the session: nothing seals it
	VerificationID string `json:"verificationId,omitempty"`
}

// SignIn finds the user, verifies the password, and makes a session with its token. Four calls: the SDK's user.List would make one more.
func (c *Caller) SignIn(ctx context.Context, email, password string) (Answer, error) {
	var found userList
	req := clerk.NewAPIRequest(http.MethodGet, "/users")
	req.SetParams(&userQuery{email: email})
	if err := c.backend.Call(ctx, req, &found); err != nil {
		return Answer{}, err
	}
	if len(found.users) != 1 {
		return Answer{}, fmt.Errorf("%d users", len(found.users))
	}
	id := found.users[0].ID
	if _, err := c.users.VerifyPassword(ctx, &user.VerifyPasswordParams{UserID: id, Password: password}); err != nil {
		return Answer{}, err
	}
	created, err := c.sessions.Create(ctx, &session.CreateParams{UserID: id})
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.RefreshSession(ctx, created.ID)
	answer.UserID = id
	return answer, err
}

// SignUp creates a user and mails a code. Two calls, which the SDK has types but no methods for.
func (c *Caller) SignUp(ctx context.Context, email, password string) (Answer, error) {
	mark := json.RawMessage(`{"clerkql_sign_up":true}`)
	params := &createUser{CreateParams: user.CreateParams{
		EmailAddresses: &[]string{email}, Password: &password, PrivateMetadata: &mark,
		FirstName: clerk.String("Augusta Ada"), LastName: clerk.String("King"),
	}, Statuses: []string{"reserved"}}
	var created clerk.User
	req := clerk.NewAPIRequest(http.MethodPost, "/users")
	req.SetParams(params)
	if err := c.backend.Call(ctx, req, &created); err != nil {
		return Answer{}, err
	}
	if len(created.EmailAddresses) != 1 {
		return Answer{}, errors.New("the new user has no address")
	}
	var sent verification
	req = clerk.NewAPIRequest(http.MethodPost, "/email_addresses/"+created.EmailAddresses[0].ID+"/prepare_verification")
	err := c.backend.Call(ctx, req, &sent)
	return Answer{UserID: created.ID, VerificationID: sent.ID}, err
}

// RefreshSession makes a session token. One call.
func (c *Caller) RefreshSession(ctx context.Context, sessionID string) (Answer, error) {
	token, err := c.sessions.CreateToken(ctx, &session.CreateTokenParams{ID: sessionID})
	if err != nil {
		return Answer{}, err
	}
	return Answer{SessionID: sessionID, SessionToken: token.JWT, RefreshToken: sessionID}, nil
}

// Viewer verifies a session token. No call.
func (c *Caller) Viewer(ctx context.Context, token string) (Answer, error) {
	claims, err := jwt.Verify(ctx, &jwt.VerifyParams{Token: token, JWK: c.key})
	if err != nil {
		return Answer{}, err
	}
	return Answer{UserID: claims.Subject, SessionID: claims.SessionID}, nil
}

// Run makes one flow for an account, from a session where it goes on from one.
func (c *Caller) Run(ctx context.Context, flow, email, password string, from Answer) (Answer, error) {
	switch flow {
	case flows.SignIn:
		return c.SignIn(ctx, email, password)
	case flows.SignUp:
		return c.SignUp(ctx, email, password)
	case flows.RefreshSession:
		return c.RefreshSession(ctx, from.RefreshToken)
	case flows.Viewer:
		return c.Viewer(ctx, from.SessionToken)
	}
	return Answer{}, fmt.Errorf("there is no flow %q", flow)
}

type userQuery struct {
	clerk.APIParams
	email string
}

// ToQuery implements [clerk.Params].
func (q *userQuery) ToQuery() url.Values { return url.Values{"email_address": {q.email}} }

type userList struct {
	clerk.APIResource
	users []clerk.User
}

// UnmarshalJSON implements [json.Unmarshaler]: the answer is a bare array.
func (l *userList) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &l.users) }

type createUser struct {
	user.CreateParams
	Statuses []string `json:"email_address_identification_status"`
}

type verification struct {
	clerk.APIResource
	ID string `json:"id"`
}
