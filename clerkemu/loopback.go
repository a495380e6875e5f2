package clerkemu

import (
	"net"
	"net/http"
	"strings"
)

// loopbackHostOnly refuses requests that name this machine by anything but a
// loopback host. A web page can make a browser look up its own host name as
// 127.0.0.1 (DNS rebinding). It would then read every mailed code, and as the
// default secret key is public, use the whole Backend API.
func loopbackHostOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]") // no port
		}
		if !isLoopbackHost(host) {
			http.Error(w, "the Host header must name a loopback address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameOriginOnly refuses requests that a page of another origin makes a
// browser send. Programs send no Origin.
func sameOriginOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
			http.Error(w, "cross-origin requests are refused", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
