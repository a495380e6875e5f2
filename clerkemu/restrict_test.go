package clerkemu

import (
	"context"
	"net/http"
	"testing"
	"time"

	sdkuser "github.com/clerk/clerk-sdk-go/v2/user"
)

func TestBanAndLock(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	users := sdkuser.NewClient(&f.sdk)
	u := f.seed("ban@example.com")
	f.ok("POST", "/sessions", map[string]any{"user_id": u.ID})
	if got, err := users.Ban(ctx, u.ID); err != nil || !got.Banned || f.Sessions(u.ID)[0].Status != "revoked" {
		t.Errorf("ban: %+v %v", f.Sessions(u.ID), err)
	}
	if got, err := users.Unban(ctx, u.ID); err != nil || got.Banned {
		t.Errorf("unban: %v", err)
	}
	got, err := users.Lock(ctx, u.ID)
	if err != nil || !got.Locked || *got.LockoutExpiresInSeconds != 3600 {
		t.Errorf("lock: %+v %v", got, err)
	}
	f.FastForward(time.Hour)
	if got, err := users.Get(ctx, u.ID); err != nil || got.Locked {
		t.Errorf("still locked: %v", err)
	}
	f.ok("POST", "/sessions", map[string]any{"user_id": u.ID})
	for name, set := range map[string]func(string, bool) error{
		"banned": f.SetBanned, "locked": f.SetLocked, "deprovisioned": f.SetDeprovisioned,
	} {
		for _, v := range []bool{true, false} {
			if err := set(u.ID, v); err != nil {
				t.Fatal(err)
			}
			if got := f.ok("GET", "/users/"+u.ID, nil)[name]; got != v {
				t.Errorf("%s is %v, want %v", name, got, v)
			}
		}
		if set("user_nobody", true) == nil {
			t.Errorf("%s: an unknown user was accepted", name)
		}
	}

	if status := f.Sessions(u.ID)[1].Status; status != "revoked" {
		t.Errorf("SetBanned left a session %s", status)
	}

	off := false
	without := start(t, func(o *Options) { o.LockoutEnabled = &off })
	v := without.seed("lock@example.com")
	_, err = sdkuser.NewClient(&without.sdk).Lock(ctx, v.ID)
	wantSDKError(t, err, http.StatusForbidden, "feature_not_enabled")
}

func TestDeleteUserFreesItsAddress(t *testing.T) {
	f := start(t)
	u := f.seed("gone@example.com")
	f.ok("PATCH", "/users/"+u.ID, map[string]any{"external_id": "ext"})
	sess := f.ok("POST", "/sessions", map[string]any{"user_id": u.ID})
	token := f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": u.ID})
	if _, err := sdkuser.NewClient(&f.sdk).Delete(context.Background(), u.ID); err != nil {
		t.Fatal(err)
	}
	f.do("GET", "/sessions/"+sess["id"].(string), nil).want(t, 404, "resource_not_found")
	f.do("POST", "/sign_in_tokens/"+token["id"].(string)+"/revoke", nil).want(t, 404, "resource_not_found")
	f.do("GET", "/email_addresses/"+u.EmailAddressID, nil).want(t, 404, "resource_not_found")
	st := f.store
	st.mu.Lock()
	for name, left := range map[string]int{
		"users": len(st.users), "byAge": len(st.byAge), "byExternalID": len(st.byExternalID),
		"emails": len(st.emails), "byAddress": len(st.byAddress), "claims": len(st.claims),
		"sessions": len(st.sessions), "clients": len(st.clients), "signInTokens": len(st.signInTokens),
	} {
		if left != 0 {
			t.Errorf("%d left in %s", left, name)
		}
	}
	st.mu.Unlock()
	if again := f.seed("gone@example.com"); again.ID == u.ID || len(f.Users()) != 1 {
		t.Errorf("users %+v", f.Users())
	}
}

func TestUserQuota(t *testing.T) {
	f := start(t, func(o *Options) { o.MaxUsers = 1 })
	f.seed("one@example.com")
	f.do("POST", "/users", map[string]any{"email_address": []string{"two@example.com"}, "password": goodPassword}).
		want(t, http.StatusForbidden, "user_quota_exceeded")
}

func TestLockoutUntilUnlocked(t *testing.T) {
	f := start(t, func(o *Options) { o.LockoutDuration = -1 })
	u := f.seed("forever@example.com", func(s *UserSeed) { s.Locked = true })
	f.FastForward(1000 * time.Hour)
	if got := f.ok("GET", "/users/"+u.ID, nil); got["locked"] != true || got["lockout_expires_in_seconds"] != nil {
		t.Errorf("locked %v for %v", got["locked"], got["lockout_expires_in_seconds"])
	}
	if got := f.ok("POST", "/users/"+u.ID+"/unlock", nil); got["locked"] != false {
		t.Error("still locked")
	}
}
