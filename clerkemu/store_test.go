package clerkemu

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryIsBounded(t *testing.T) {
	f := start(t)
	u := f.seed("many@example.com")
	f.store.mu.Lock()
	for range maxSessionsPerUser + 5 {
		f.store.addSession(&session{id: newID(prefixSession), client: newClient(time.Now()), owner: f.store.users[u.ID]})
		f.store.addSignInToken(&signInToken{id: newID(prefixSignInToken), owner: f.store.users[u.ID]})
	}
	sessions, clients, tokens := len(f.store.sessions), len(f.store.clients), len(f.store.signInTokens)
	f.store.mu.Unlock()
	if sessions != maxSessionsPerUser || clients != maxSessionsPerUser || tokens != maxSignInTokensPerUser {
		t.Errorf("%d sessions, %d clients, %d tokens", sessions, clients, tokens)
	}
}

func TestCreatedAtMovesAUserInTheList(t *testing.T) {
	f := start(t)
	first, second := f.seed("first@example.com"), f.seed("second@example.com")
	f.ok("PATCH", "/users/"+second.ID, map[string]any{"created_at": "2001-02-03T04:05:06Z"})
	if list := f.Users(); len(list) != 2 || list[0].ID != second.ID || list[1].ID != first.ID {
		t.Errorf("users %+v", list)
	}
}

// What a test does to a snapshot, or to its seed, stays with the test.
func TestSnapshotsAreCopies(t *testing.T) {
	f := start(t)
	metadata := map[string]any{"list": []any{map[string]any{"a": 1.0}}}
	u := f.seed("copy@example.com", func(s *UserSeed) { s.PrivateMetadata = metadata })
	for _, m := range []map[string]any{metadata, u.PrivateMetadata} {
		m["list"].([]any)[0].(map[string]any)["a"] = "changed"
		m["more"] = true
	}
	after, _ := f.UserByID(u.ID)
	want := map[string]any{"list": []any{map[string]any{"a": 1.0}}}
	if diff := cmp.Diff(want, after.PrivateMetadata); diff != "" {
		t.Error(diff)
	}
}

func TestLimitedIPsAreBounded(t *testing.T) {
	l, now := &ipLimiter{limit: 1}, time.Now()
	ip := netip.MustParseAddr("10.0.0.1")
	first := ip
	for range maxLimitedIPs {
		if err := l.check(ip, now); err != nil {
			t.Fatal(err)
		}
		ip = ip.Next()
	}
	if l.check(first, now) == nil {
		t.Error("an address is forgotten without need")
	}
	if err := l.check(ip, now); err != nil || len(l.windows) > maxLimitedIPs {
		t.Errorf("%d addresses, %v", len(l.windows), err)
	}
}
