package clerksvc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"clerkql/internal/secret"
)

// FrontendAPI is the part of Clerk's Frontend API that redeems a sign-in token, in the form that native apps use: the client's
// token travels in the header Authorization and not in a cookie (security schemes ProductionNativeApp and ProductionNativeFlag of
// Clerk's Frontend API specification). The Go SDK has nothing for it. Its methods return a *[ClerkError] when a call fails,
// and are safe for concurrent use.
type FrontendAPI struct {
	cfg       FrontendAPIConfig
	exchanger *exchanger
	*resilience
	// limited has until when Clerk refuses clients, by their IP. Without a proxy there is one, which is us.
	limited *lru.Cache[string, time.Time]
}

// FrontendAPIConfig says which Frontend API to call and how.
type FrontendAPIConfig struct {
	// URL of the Frontend API, such as https://clerk.example.com, or [ProxiedFrontendAPIURL] with a ProxyURL.
	URL string
	// ProxyURL is the proxy in front of the Frontend API that the instance is set up with, if it is. Calls are then made as such a
	// proxy makes them, and tell Clerk the client's IP; else Clerk takes ours for it.
	ProxyURL string
	// SecretKey shows Clerk, with a ProxyURL, that the client's IP can be believed.
	SecretKey secret.String
	// Timeout bounds one call, from connecting to the last byte of the answer.
	Timeout time.Duration
	// Once has every call made once, whatever comes of it: for who wants to see what Clerk does.
	Once bool
	// Logger is told when calls are not made any more because too many fail, and when they are again. Nil: nobody is.
	Logger *slog.Logger
}

// ProxiedFrontendAPIURL is where proxies in front of the Frontend API forward to (Clerk's guide "Proxying the Clerk Frontend
// API").
const ProxiedFrontendAPIURL = "https://frontend-api.clerk.dev"

// NewFrontendAPI returns the Frontend API of one Clerk instance. It makes no call.
func NewFrontendAPI(cfg FrontendAPIConfig) *FrontendAPI {
	cfg.URL = strings.TrimRight(cfg.URL, "/")
	limited, _ := lru.New[string, time.Time](maxLimitedClients) // which only fails without room
	return &FrontendAPI{
		cfg: cfg, exchanger: newExchanger(cfg.Timeout), resilience: newResilience("frontend", cfg.Once, cfg.Logger), limited: limited,
	}
}

// maxLimitedClients is how many clients are remembered that Clerk refuses, at some 150 bytes each.
const maxLimitedClients = 10_000

// maxUserAgentBytes bounds what is passed on of a client's name for itself.
const maxUserAgentBytes = 512

// Operations of the Frontend API. Their ids are those of its specification, which are the Backend API's but for letter case.
const (
	operationFrontendCreateSignIn       = "fapi.createSignIn"
	operationFrontendCreateSessionToken = "fapi.createSessionToken" //nolint:gosec // the name of an operation
)

// ErrSignInIncomplete is why a ticket was not redeemed, in a *[ClerkError]: Clerk asks for more, such as the second factor.
var ErrSignInIncomplete = errors.New("the sign-in is not complete")

// RedeemedTicket is a session that was made of a sign-in token.
type RedeemedTicket struct {
	SessionID        string
	UserID           string
	SessionExpiresAt time.Time
	// ClientToken speaks for the client at the Frontend API that the session belongs to.
	ClientToken secret.String
	// SessionToken is one that Clerk made right away; empty when it did not.
	SessionToken secret.String
}

// frontendSignIn is the part of schema Client.ClientWrappedSignIn that is of use.
type frontendSignIn struct {
	Response struct {
		Status           string `json:"status"`
		CreatedSessionID string `json:"created_session_id"`
	} `json:"response"`
	Client struct {
		Sessions []struct {
			ID       string `json:"id"`
			ExpireAt int64  `json:"expire_at"`
			User     struct {
				ID string `json:"id"`
			} `json:"user"`
			LastActiveToken struct { // nullable
				JWT string `json:"jwt"`
			} `json:"last_active_token"`
		} `json:"sessions"`
	} `json:"client"`
}

// CreateSignIn redeems a sign-in token as a client that is new to Clerk. Clerk lets an IP do so five times in ten seconds (Clerk's
// page "Rate limits"). Specification of the Frontend API: createSignIn, POST /v1/client/sign_ins. Not idempotent: a sign-in token
// can be redeemed once.
func (a *FrontendAPI) CreateSignIn(ctx context.Context, client Client, ticket secret.String) (*RedeemedTicket, error) {
	form := url.Values{"strategy": {"ticket"}, "ticket": {ticket.Reveal()}}
	var signIn frontendSignIn
	header, err := a.post(ctx, operationFrontendCreateSignIn, "/v1/client/sign_ins", client, secret.String{}, form, &signIn)
	if err != nil {
		if failed := asClerkError(err); limitedByClerk(failed) {
			a.limited.Add(a.clientIP(client), time.Now().Add(orDefault(failed.RetryAfter, clerkPause)))
		}
		return nil, err
	}
	if signIn.Response.Status != "complete" {
		return nil, &ClerkError{Operation: operationFrontendCreateSignIn, Status: http.StatusOK, cause: ErrSignInIncomplete}
	}
	for _, session := range signIn.Client.Sessions {
		if session.ID == signIn.Response.CreatedSessionID && session.ID != "" {
			return &RedeemedTicket{
				SessionID:        session.ID,
				UserID:           session.User.ID,
				SessionExpiresAt: time.UnixMilli(session.ExpireAt),
				ClientToken:      secret.New(header.Get("Authorization")),
				SessionToken:     secret.New(session.LastActiveToken.JWT),
			}, nil
		}
	}
	return nil, &ClerkError{Operation: operationFrontendCreateSignIn, Status: http.StatusOK, cause: errUnreadable}
}

// limitedFor returns for how long Clerk will not let a client redeem anything, as it said, or 0.
func (a *FrontendAPI) limitedFor(client Client) time.Duration {
	until, _ := a.limited.Get(a.clientIP(client))
	return max(0, time.Until(until))
}

// clientIP returns the IP that Clerk takes for the client's, or "" if that is ours.
func (a *FrontendAPI) clientIP(client Client) string {
	if a.cfg.ProxyURL == "" {
		return ""
	}
	return client.IP
}

// CreateSessionToken mints a session token (JWT) for a session that was made of a sign-in token. Specification of the Frontend
// API: createSessionToken, POST /v1/client/sessions/{session_id}/tokens.
func (a *FrontendAPI) CreateSessionToken(ctx context.Context, client Client, redeemed *RedeemedTicket) (secret.String, error) {
	if err := checkID(operationFrontendCreateSessionToken, redeemed.SessionID); err != nil {
		return secret.String{}, err
	}
	var token struct {
		JWT string `json:"jwt"`
	}
	path := "/v1/client/sessions/" + redeemed.SessionID + "/tokens"
	_, err := a.post(ctx, operationFrontendCreateSessionToken, path, client, redeemed.ClientToken, nil, &token)
	if err != nil {
		return secret.String{}, err
	}
	return secret.New(token.JWT), nil
}

// post makes a call in native form, repeats it where that is safe and of use, and reads its answer into out.
func (a *FrontendAPI) post(
	ctx context.Context, operation, path string, client Client, clientToken secret.String, form url.Values, out any,
) (header http.Header, err error) {
	err = a.do(ctx, operation, http.MethodPost, func() (err error) {
		header, err = a.postOnce(ctx, operation, path, client, clientToken, form, out)
		return err
	})
	return header, err
}

func (a *FrontendAPI) postOnce(
	ctx context.Context, operation, path string, client Client, clientToken secret.String, form url.Values, out any,
) (http.Header, error) {
	query := url.Values{"_is_native": {"1"}, "__clerk_api_version": {APIVersion}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.URL+path+"?"+query.Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &ClerkError{Operation: operation, cause: errUnsendable}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// Without "Bearer", and empty at first, as Clerk's own SDK for native apps sends it.
	req.Header.Set("Authorization", clientToken.Reveal())
	req.Header.Set("User-Agent", client.UserAgent[:min(len(client.UserAgent), maxUserAgentBytes)])
	if a.cfg.ProxyURL != "" {
		req.Header.Set("Clerk-Proxy-Url", a.cfg.ProxyURL)
		req.Header.Set("Clerk-Secret-Key", a.cfg.SecretKey.Reveal())
		req.Header.Set("X-Forwarded-For", client.IP)
	}
	answer, err := a.exchanger.exchange(req)
	if err == nil {
		err = answer.decode(out)
	}
	if err != nil {
		failed := asClerkError(err)
		failed.Operation = operation
		return nil, failed
	}
	return answer.header, nil
}
