package middleware

import (
	"net/http"
	"time"

	"github.com/rs/cors"
)

// preflightAge is how long a browser may remember what CORS allows: the longest that some browsers remember anything.
const preflightAge = 2 * time.Hour

// CORS lets pages of these origins, and of no others, read the answers. Without origins it does nothing. With credentials, browsers
// send cookies along.
func CORS(origins []string, credentials bool) func(http.Handler) http.Handler {
	if len(origins) == 0 { // to the library, that would be all of them
		return func(next http.Handler) http.Handler { return next }
	}
	return cors.New(cors.Options{
		AllowedOrigins:   origins,
		AllowedMethods:   []string{http.MethodGet, http.MethodPost},
		AllowedHeaders:   []string{"Content-Type", "Authorization", "Idempotency-Key", "X-Request-Id"},
		ExposedHeaders:   []string{"Idempotency-Replayed", "Retry-After", "X-Request-Id"},
		MaxAge:           int(preflightAge.Seconds()),
		AllowCredentials: credentials,
	}).Handler
}
