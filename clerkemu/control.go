package clerkemu

import (
	"encoding/json"
	"mime"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// controlRoutes is the control API: what the methods of Server do for a Go
// test, for everybody else. The package documentation lists it.
func (s *Server) controlRoutes() http.Handler {
	r := chi.NewRouter()
	r.Post("/faults", s.controlInjectFault)
	r.Get("/faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]int{"pending": s.PendingFaults()})
	})
	r.Delete("/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	r.Get("/calls", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Calls())
	})
	r.Delete("/calls", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetCalls()
		w.WriteHeader(http.StatusNoContent)
	})
	r.Post("/clock", s.controlAdvanceClock)
	r.Post("/users", s.controlSeedUser)
	r.Get("/totp", s.controlTOTPCode)
	return r
}

// faultInput is the body of POST /control/faults.
type faultInput struct {
	Operation         string    `json:"operation"`
	Kind              FaultKind `json:"kind"`
	Skip              int       `json:"skip"`
	Times             int       `json:"times"`
	LatencyMillis     int64     `json:"latencyMillis"`
	Status            int       `json:"status"`
	Code              string    `json:"code"`
	RetryAfterSeconds int64     `json:"retryAfterSeconds"`
}

func (s *Server) controlInjectFault(w http.ResponseWriter, r *http.Request) {
	var in faultInput
	if !readControl(w, r, &in) {
		return
	}
	err := s.InjectFault(Fault{
		Operation: in.Operation, Kind: in.Kind, Skip: in.Skip, Times: in.Times,
		Latency: time.Duration(in.LatencyMillis) * time.Millisecond,
		Status:  in.Status, Code: in.Code,
		RetryAfter: time.Duration(in.RetryAfterSeconds) * time.Second,
	})
	if err != nil {
		controlError(w, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// controlAdvanceClock is POST /control/clock: FastForward, forward only.
func (s *Server) controlAdvanceClock(w http.ResponseWriter, r *http.Request) {
	const longest = int64(maxClockOffset / time.Second)
	var in struct {
		AdvanceSeconds int64 `json:"advanceSeconds"`
	}
	if !readControl(w, r, &in) {
		return
	}
	if in.AdvanceSeconds < 1 || in.AdvanceSeconds > longest {
		controlError(w, "advanceSeconds must be between 1 and ten years")
		return
	}
	if err := s.clock.advance(time.Duration(in.AdvanceSeconds) * time.Second); err != nil {
		controlError(w, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]time.Time{"now": s.clock.Now()})
}

// controlSeedUser is POST /control/users: SeedUser.
func (s *Server) controlSeedUser(w http.ResponseWriter, r *http.Request) {
	var seed UserSeed
	if !readControl(w, r, &seed) {
		return
	}
	u, err := s.SeedUser(seed)
	if err != nil {
		controlError(w, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, u)
}

// controlTOTPCode is GET /control/totp: TOTPCode, by address.
func (s *Server) controlTOTPCode(w http.ResponseWriter, r *http.Request) {
	u, found := s.UserByEmail(r.URL.Query().Get("email"))
	if !found {
		controlError(w, "no user has this email address")
		return
	}
	code, err := s.TOTPCode(u.ID)
	if err != nil {
		controlError(w, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"code": code})
}

// readControl decodes a JSON body, or answers what is wrong with it.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "the Content-Type must be application/json"})
		return false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		controlError(w, "the body is not the expected JSON object")
		return false
	}
	return true
}

func controlError(w http.ResponseWriter, text string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": text})
}
