package clerkemu

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSessionActivity(t *testing.T) {
	f := start(t)
	u := f.seed("ada@example.com")
	r := f.signIn(f.ticket(u.ID), "")
	activity, _ := f.ok("GET", "/sessions/"+r.sessionID(), nil)["latest_activity"].(map[string]any)
	if id, _ := activity["id"].(string); id == "" {
		t.Error("no id")
	}
	delete(activity, "id")
	want := map[string]any{
		"object": "session_activity", "device_type": "Macintosh", "is_mobile": false,
		"browser_name": "Chrome", "browser_version": "126.0.0.0", "ip_address": "127.0.0.1",
	}
	if diff := cmp.Diff(want, activity); diff != "" {
		t.Error(diff)
	}
	if got := f.Sessions(u.ID)[0]; got.Browser != "Chrome" || got.IPAddress != "127.0.0.1" {
		t.Errorf("snapshot %+v", got)
	}
	if made := f.ok("POST", "/sessions", map[string]any{"user_id": u.ID}); made["latest_activity"] != nil {
		t.Errorf("of the Backend API: %v", made["latest_activity"])
	}
	if got := f.Sessions(u.ID)[1]; got.Browser != "" || got.IPAddress != "" {
		t.Errorf("snapshot %+v", got)
	}
}

func TestUserAgents(t *testing.T) {
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for userAgent, want := range map[string]activity{
		chromeOnMac: {deviceType: "Macintosh", browserName: "Chrome", browserVersion: "126.0.0.0"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.1": {
			deviceType: "Windows", browserName: "Microsoft Edge", browserVersion: "126.0.2592.1",
		},
		"Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0": {
			deviceType: "Linux", browserName: "Firefox", browserVersion: "127.0",
		},
		"Mozilla/5.0 (Linux; Android 14; Pixel 8)" + webkit + "Chrome/126.0.0.0 Mobile Safari/537.36": {
			deviceType: "Android", mobile: true, browserName: "Chrome", browserVersion: "126.0.0.0",
		},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)" + webkit + "Version/17.5 Mobile/15E148 Safari/604.1": {
			deviceType: "iPhone", mobile: true, browserName: "Safari", browserVersion: "17.5",
		},
		"Go-http-client/1.1": {},
		"":                   {},
	} {
		got := newActivity(caller{userAgent: userAgent, ip: netip.Addr{}})
		got.id = ""
		if *got != want {
			t.Errorf("%s: %+v", userAgent, *got)
		}
	}
}
