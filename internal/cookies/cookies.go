// Package cookies keeps the tokens of browsers in cookies that no script can read, no other host can set, and no other site can
// have sent along with its own requests: their names begin with __Host-, and they are HttpOnly, Secure and SameSite.
//
// Handler gives each request a jar. Without it, which is how the server runs unless told otherwise, Get finds nothing and Set
// keeps nothing.
package cookies

import (
	"context"
	"net/http"
	"time"
)

// Name is the name of a cookie.
type Name string

// The cookies.
const (
	// Session holds a session token. It goes along when a link leads here, so that a page can be rendered for who is signed in.
	Session Name = "__Host-clerkql_session"
	// Refresh holds a refresh token.
	Refresh Name = "__Host-clerkql_refresh"
	// Device holds a device token.
	Device Name = "__Host-clerkql_device"
)

func (n Name) sameSite() http.SameSite {
	if n == Session {
		return http.SameSiteLaxMode
	}
	return http.SameSiteStrictMode
}

type jarKey struct{}

type jar struct {
	request  *http.Request
	response http.ResponseWriter
}

// Handler has next keep tokens in cookies.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), jarKey{}, jar{request: r, response: w})))
	})
}

// On reports whether there is a jar.
func On(ctx context.Context) bool {
	_, ok := ctx.Value(jarKey{}).(jar)
	return ok
}

// Get returns what the client sent in a cookie, or "".
func Get(ctx context.Context, name Name) string {
	if jar, ok := ctx.Value(jarKey{}).(jar); ok {
		if cookie, err := jar.request.Cookie(string(name)); err == nil {
			return cookie.Value
		}
	}
	return ""
}

// Set keeps a value in a cookie until expires, and reports whether it did: without Handler it does not. It must be called before
// the answer is begun, and by one goroutine at a time.
func Set(ctx context.Context, name Name, value string, expires time.Time) bool {
	jar, ok := ctx.Value(jarKey{}).(jar)
	if ok {
		http.SetCookie(jar.response, &http.Cookie{ //nolint:gosec // SameSite is set, to what sameSite says
			Name: string(name), Value: value, Expires: expires, MaxAge: maxAge(expires),
			Path: "/", Secure: true, HttpOnly: true, SameSite: name.sameSite(),
		})
	}
	return ok
}

// maxAge returns the seconds until expires: a client's clock may be wrong. Those of the past delete a cookie.
func maxAge(expires time.Time) int {
	if seconds := int(time.Until(expires).Seconds()); seconds > 0 {
		return seconds
	}
	return -1
}

// Delete has the client forget a cookie. What holds for Set holds for it.
func Delete(ctx context.Context, name Name) { Set(ctx, name, "", time.Unix(1, 0)) }
