package middleware

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// securityHeaders has browsers do with an answer what it is for, and nothing else: no guessing of types, no copies, no frames, no scripts. A page
// sets a Content-Security-Policy of its own.
func securityHeaders(trusted []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header.Set("X-Content-Type-Options", "nosniff")
			header.Set("X-Frame-Options", "DENY")
			header.Set("Referrer-Policy", "no-referrer")
			header.Set("Cache-Control", "no-store")
			header.Set("Cross-Origin-Opener-Policy", "same-origin")
			header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			if overTLS(r, trusted) {
				header.Set("Strict-Transport-Security", "max-age=31536000")
			}
			next.ServeHTTP(w, r)
		})
	}
}

// overTLS reports whether the client's connection is encrypted: ours is, or that of a proxy that is believed.
func overTLS(r *http.Request, trusted []netip.Prefix) bool {
	if r.TLS != nil {
		return true
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		return false
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, prefix := range trusted {
		if prefix.Contains(peer.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
