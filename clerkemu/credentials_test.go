package clerkemu

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	sdkuser "github.com/clerk/clerk-sdk-go/v2/user"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/bcrypt"
)

func TestVerifyPassword(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	users := sdkuser.NewClient(&f.sdk)
	u := f.seed("pw@example.com", func(s *UserSeed) { s.Password = strings.Repeat("p", 72) })
	none := f.seed("none@example.com", func(s *UserSeed) { s.Password = "" })
	_, err := users.VerifyPassword(ctx, &sdkuser.VerifyPasswordParams{UserID: u.ID, Password: strings.Repeat("p", 72)})
	if err != nil {
		t.Error(err)
	}
	_, err = users.VerifyPassword(ctx, &sdkuser.VerifyPasswordParams{UserID: u.ID, Password: strings.Repeat("p", 73)})
	wantSDKError(t, err, http.StatusUnprocessableEntity, "incorrect_password")
	_, err = users.VerifyPassword(ctx, &sdkuser.VerifyPasswordParams{UserID: none.ID, Password: "x"})
	wantSDKError(t, err, http.StatusBadRequest, "no_password_set")
	f.do("POST", "/users/"+u.ID+"/verify_password", "{}").want(t, 422, "form_param_missing")
	f.do("POST", "/users/"+u.ID+"/verify_password", `{"password":null}`).want(t, 422, "form_param_nil")
}

func TestVerifyTOTP(t *testing.T) {
	digest, err := bcrypt.GenerateFromPassword([]byte("hashed-code"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t)
	u := f.seed("mfa@example.com", func(s *UserSeed) {
		s.TOTPSecret, s.BackupCodes = totpSecret, []string{"plain-code", string(digest)}
	})
	off := f.seed("off@example.com")
	verify := func(id, code string) reply {
		return f.do("POST", "/users/"+id+"/verify_totp", map[string]any{"code": code})
	}
	at := func(d time.Duration) string {
		code, err := totp.GenerateCode(totpSecret, time.Now().Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	for _, skew := range []time.Duration{0, -30 * time.Second, 30 * time.Second} {
		if r := verify(u.ID, at(skew)); r.status != http.StatusOK || r.body.(map[string]any)["code_type"] != "totp" {
			t.Errorf("skew %s: %d %v", skew, r.status, r.body)
		}
	}
	verify(u.ID, at(-10*time.Minute)).want(t, 422, "totp_incorrect_code")
	verify(u.ID, "abcdef").want(t, 422, "totp_incorrect_code")
	verify(u.ID, "1234567").want(t, 422, "totp_invalid_length")
	verify(off.ID, "123456").want(t, 400, "totp_disabled")
	for left, code := range []string{"hashed-code", "plain-code"} {
		if r := verify(u.ID, code); r.status != http.StatusOK || r.body.(map[string]any)["code_type"] != "backup_code" {
			t.Errorf("%s: %d %v", code, r.status, r.body)
		}
		verify(u.ID, code).want(t, 422, "totp_invalid_length") // used up
		if after, _ := f.UserByID(u.ID); after.BackupCodes != 1-left {
			t.Errorf("%d codes left after %s", after.BackupCodes, code)
		}
	}
}

func TestEnableTOTP(t *testing.T) {
	f := start(t)
	u := f.seed("later@example.com")
	if f.EnableTOTP(u.ID, "not base32!") == nil {
		t.Error("a malformed secret was accepted")
	}
	if err := f.EnableTOTP(u.ID, totpSecret); err != nil {
		t.Fatal(err)
	}
	if got := f.ok("GET", "/users/"+u.ID, nil); got["two_factor_enabled"] != true || got["mfa_enabled_at"] == nil {
		t.Errorf("user %v", got)
	}
}
