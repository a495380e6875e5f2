package floor

import (
	"encoding/json"
	"net/http"
	"strings"

	"clerkql/bench/flows"
)

const maxRequestBytes = 64 << 10

// Routes is a REST route for each flow, with net/http and nothing else around the calls.
func Routes(caller *Caller) http.Handler {
	mux := http.NewServeMux()
	for _, flow := range flows.All() {
		mux.HandleFunc("POST /"+flow, func(w http.ResponseWriter, r *http.Request) {
			var in struct{ Email, Password, RefreshToken string }
			if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&in); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			answer, err := caller.Run(r.Context(), flow, in.Email, in.Password, Answer{SessionToken: token, RefreshToken: in.RefreshToken})
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	return mux
}
