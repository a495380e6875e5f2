package resolvers

import (
	"context"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-chi/chi/v5/middleware"

	"clerkql/clerksvc"
	"clerkql/internal/cookies"
	"clerkql/internal/secret"
)

// client returns who sent the request.
func client(ctx context.Context) clerksvc.Client {
	return clerksvc.Client{
		IP:        middleware.GetClientIP(ctx),
		UserAgent: graphql.GetOperationContext(ctx).Headers.Get("User-Agent"),
	}
}

// sessionToken returns the session token of the request, from the header Authorization or else from the cookie, and whether
// there is one. Another scheme than Bearer is a token that does not hold.
func sessionToken(ctx context.Context) (token secret.String, sent bool) {
	header := graphql.GetOperationContext(ctx).Headers.Get("Authorization")
	if header == "" {
		cookie := cookies.Get(ctx, cookies.Session)
		return secret.New(cookie), cookie != ""
	}
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return secret.String{}, true
	}
	return secret.New(strings.TrimSpace(text)), true
}

// fromInput returns a token of the input, or else of the cookie.
func fromInput(ctx context.Context, token *string, cookie cookies.Name) string {
	if token != nil {
		return *token
	}
	return cookies.Get(ctx, cookie)
}

// forBody keeps a token in a cookie and returns nil, or returns the token where there are no cookies.
func forBody(ctx context.Context, cookie cookies.Name, token string, expires time.Time) *string {
	if cookies.Set(ctx, cookie, token, expires) {
		return nil
	}
	return &token
}

// forgetSession deletes the cookies of a session that is over.
func forgetSession(ctx context.Context) {
	cookies.Delete(ctx, cookies.Session)
	cookies.Delete(ctx, cookies.Refresh)
}
