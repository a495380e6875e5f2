package clerkemu

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTOTPCode(t *testing.T) {
	f := start(t)
	u := f.seed("app@example.com", func(s *UserSeed) { s.TOTPSecret = totpSecret })
	bare := f.seed("bare@example.com")
	for range 2 {
		code, err := f.TOTPCode(u.ID)
		if err != nil {
			t.Fatal(err)
		}
		f.ok("POST", "/users/"+u.ID+"/verify_totp", map[string]any{"code": code})
		f.FastForward(time.Hour) // the app goes with the clock of the instance
		f.do("POST", "/users/"+u.ID+"/verify_totp", map[string]any{"code": code}).want(t, 422, "totp_incorrect_code")
	}
	for _, id := range []string{bare.ID, "user_x"} {
		if code, err := f.TOTPCode(id); err == nil {
			t.Errorf("%s: %q", id, code)
		}
	}
	resp, body := f.get("/control/totp?email=APP@example.com")
	if code, err := f.TOTPCode(u.ID); err != nil || resp.StatusCode != http.StatusOK || body != `{"code":"`+code+`"}` {
		t.Errorf("control: %d %s %v", resp.StatusCode, body, err)
	}
	for _, address := range []string{"bare@example.com", "nobody@example.com", ""} {
		if resp, body := f.get("/control/totp?email=" + address); resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"error"`) {
			t.Errorf("%q: %d %s", address, resp.StatusCode, body)
		}
	}
}
