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

// deviceToken returns the device token of the input, or else of the cookie.
func deviceToken(ctx context.Context, input secret.String) secret.String {
	if input.Reveal() != "" {
		return input
	}
	return secret.New(cookies.Get(ctx, cookies.Device))
}

// refreshToken returns the refresh token of the input, or else of the cookie.
func refreshToken(ctx context.Context, input secret.String) clerksvc.RefreshToken {
	if input.Reveal() != "" {
		return clerksvc.RefreshToken{Token: input}
	}
	return clerksvc.RefreshToken{Token: secret.New(cookies.Get(ctx, cookies.Refresh)), Kept: cookies.On(ctx)}
}

// forBody keeps a token in a cookie and returns nil, or returns the token where there are no cookies.
func forBody(ctx context.Context, cookie cookies.Name, token secret.String, expires time.Time) *string {
	text := token.Reveal()
	if cookies.Set(ctx, cookie, text, expires) {
		return nil
	}
	return &text
}

// forgetSession deletes the cookies of a session that is over.
func forgetSession(ctx context.Context) {
	cookies.Delete(ctx, cookies.Session)
	cookies.Delete(ctx, cookies.Refresh)
}
