package clerkemu

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/go-chi/chi/v5"
)

// caller is who sends a Frontend API request.
type caller struct {
	clientToken string // empty: a new client
	ip          netip.Addr
	userAgent   string
}

// admitFrontend checks what all operations of the Frontend API have in common.
// Only native clients are served: those that name themselves in the query and
// keep the token of their client themselves. A browser keeps it in a cookie.
func (s *Server) admitFrontend(_ operation, r *http.Request, body []byte, bodyErr error) (*request, error) {
	if err := s.checkProxy(r.Header); err != nil {
		return nil, err
	}
	if r.Header.Get("Origin") != "" && len(r.Header.Values("Authorization")) > 0 {
		return nil, newError(http.StatusBadRequest, "origin_authorization_headers_conflict", "Origin and Authorization headers conflict",
			"Browsers send Origin and native clients send Authorization: a request must not have both.")
	}
	if native := r.URL.Query().Get("_is_native"); native != "1" && native != "true" {
		return nil, s.errBrowser()
	}
	if !*s.opts.NativeAPI {
		return nil, newError(http.StatusBadRequest, "native_api_disabled", "Native API disabled",
			"The Native API is disabled for this instance.")
	}
	version, err := apiVersion(r)
	if err != nil {
		return nil, err
	}
	params, err := parseForm(r.Header.Get("Content-Type"), body, bodyErr)
	if err != nil {
		return nil, err
	}
	return &request{
		ctx:     r.Context(),
		id:      chi.URLParam(r, "id"),
		version: version,
		query:   r.URL.Query(),
		params:  params,
		caller: caller{
			// Clerk's SDKs send the bare token, its OpenAPI document says bearer [I].
			clientToken: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
			ip:          s.clientIP(r),
			userAgent:   r.UserAgent(),
		},
	}, nil
}

// errBrowser answers for browsers, which are not emulated. In development that
// is what Clerk says before a browser has made itself known.
func (s *Server) errBrowser() error {
	if s.opts.Production {
		return errNotFound("The embedded Clerk serves native clients only: add _is_native=1 to the query.")
	}
	return newError(http.StatusUnauthorized, "dev_browser_unauthenticated", "Browser unauthenticated",
		"The embedded Clerk serves native clients only: add _is_native=1 to the query.")
}

// checkProxy wants every request of a proxied instance to come from its proxy,
// and none of another instance to come from any [I].
func (s *Server) checkProxy(h http.Header) error {
	if h.Get("Clerk-Proxy-Url") != s.opts.ProxyURL {
		return newError(http.StatusBadRequest, "host_invalid", "Invalid host",
			"The Clerk-Proxy-Url header must be the proxy URL of the instance, and absent when it has none.")
	}
	if s.opts.ProxyURL == "" {
		return nil
	}
	switch key := h.Get("Clerk-Secret-Key"); {
	case key == "":
		return newError(http.StatusBadRequest, "proxy_request_missing_secret_key", "Missing secret key",
			"A proxy must send the secret key in the Clerk-Secret-Key header.")
	case !s.isSecretKey(key):
		return newError(http.StatusUnauthorized, "proxy_request_invalid_secret_key", "Invalid secret key",
			"The secret key in the Clerk-Secret-Key header is invalid.")
	}
	return nil
}

// clientIP is the address of the client. Only a proxy is believed to know
// better than the connection.
func (s *Server) clientIP(r *http.Request) netip.Addr {
	if s.opts.ProxyURL != "" {
		first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
		if ip, err := netip.ParseAddr(strings.TrimSpace(first)); err == nil {
			return ip.Unmap().WithZone("")
		}
	}
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // fails for what is no TCP connection
	return remote.Addr().Unmap()
}
