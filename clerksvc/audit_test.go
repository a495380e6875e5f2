package clerksvc

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestAPanicIsNoSuccess in the log, and goes on to who knows what to do with it.
func TestAPanicIsNoSuccess(t *testing.T) {
	var log bytes.Buffer
	s := &Service{log: slog.New(slog.NewTextHandler(&log, nil)), timeout: time.Second}
	defer func() {
		if fault := recover(); fault != "a fault" || !strings.Contains(log.String(), "event=sign_in.internal_server_error") {
			t.Errorf("panic %v, after\n%s", fault, &log)
		}
	}()
	_ = func() (err error) {
		ctx, audit := s.begin(t.Context(), "sign_in", Client{})
		defer audit.end(ctx, &err)
		panic("a fault")
	}()
}
