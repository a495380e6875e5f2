package clerkemu

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
)

func TestOneClientHasOneActiveSession(t *testing.T) {
	f := start(t)
	ada, bob := f.seed("ada@example.com"), f.seed("bob@example.com")
	first := f.signIn(f.ticket(ada.ID), "")
	ticket := f.ticket(bob.ID)
	f.redeem(ticket, first.clientToken()).want(t, 400, "session_exists")
	f.redeem(ticket, "Bearer "+first.clientToken()).want(t, 400, "session_exists")
	if status := f.onlyToken(bob.ID); status != "pending" {
		t.Errorf("the token is %s", status)
	}

	f.ok("POST", "/sessions/"+first.sessionID()+"/revoke", nil)
	f.native(first.tokensPath(), nil, first.clientToken()).want(t, 404, "resource_not_found")
	second := f.signIn(ticket, first.clientToken())
	clientID := second.part("client")["id"].(string)
	if clientID != first.part("client")["id"] || second.clientToken() == first.clientToken() {
		t.Error("the client has not been kept, or its token has")
	}
	if list := second.part("client")["sessions"].([]any); len(list) != 1 {
		t.Errorf("sessions %v", list)
	}
	for query, want := range map[string]int{"": 2, "&user_id=" + ada.ID: 1, "&user_id=user_x": 0, "&status=active": 1} {
		if list := f.do("GET", "/sessions?client_id="+clientID+query, nil).body.([]any); len(list) != want {
			t.Errorf("%q: %v", query, list)
		}
	}

	// The token that came before the newest is worth nothing.
	f.native(second.tokensPath(), nil, first.clientToken()).want(t, 401, "signed_out")
	if third := f.signIn(f.ticket(ada.ID), first.clientToken()); third.part("client")["id"] == clientID {
		t.Error("an old token names a client")
	}
}

func TestClientSessionTokens(t *testing.T) {
	f := start(t)
	ada, bob := f.seed("ada@example.com"), f.seed("bob@example.com")
	ticket := f.ticket(ada.ID)
	r, other := f.signIn(ticket, ""), f.signIn(f.ticket(bob.ID), "")
	for name, token := range map[string]string{
		"none": "", "no JWT": "x", "a ticket": ticket,
		"a forged one": f.SignSessionToken(map[string]any{"id": r.part("client")["id"]}),
		"unknown":      f.SignSessionToken(map[string]any{"id": "client_x", "rotating_token": "x"}),
	} {
		if got := f.native(r.tokensPath(), nil, token); got.status != 401 || got.codes()[0] != "signed_out" {
			t.Errorf("%s: %d %v", name, got.status, got.codes())
		}
	}
	f.native(other.tokensPath(), nil, r.clientToken()).want(t, 404, "resource_not_found")
	f.native(r.tokensPath(), url.Values{"organization_id": {"org_x"}}, r.clientToken()).
		want(t, 403, "not_a_member_in_organization")

	got := f.native(r.tokensPath(), url.Values{"tab_state": {"focused"}}, r.clientToken())
	if got.status != http.StatusOK || got.header.Get("Authorization") != r.clientToken() {
		t.Fatalf("token: %d, client token %q", got.status, got.header.Get("Authorization"))
	}
	claims, err := jwt.Verify(context.Background(), &jwt.VerifyParams{
		Token:      got.body.(map[string]any)["jwt"].(string),
		JWKSClient: &jwks.Client{Backend: clerk.NewBackend(&f.sdk.BackendConfig)}, ProxyURL: clerk.String(f.Issuer()),
	})
	if err != nil || claims.Subject != ada.ID || claims.SessionID != r.sessionID() ||
		*claims.Expiry-*claims.IssuedAt != int64(defaultSessionTokenLife/time.Second) {
		t.Errorf("claims %+v %v", claims, err)
	}
	f.FastForward(defaultSessionLife)
	f.native(r.tokensPath(), nil, r.clientToken()).want(t, 404, "resource_not_found")
}

func TestTokensMoveLastActiveAt(t *testing.T) {
	f := start(t)
	u := f.seed("ada@example.com")
	r := f.signIn(f.ticket(u.ID), "")
	last := f.Sessions(u.ID)[0].LastActiveAt
	for _, mint := range []func() reply{
		func() reply { return f.native(r.tokensPath(), nil, r.clientToken()) },
		func() reply { return f.do("POST", "/sessions/"+r.sessionID()+"/tokens", nil) },
	} {
		f.FastForward(time.Hour)
		if got := mint(); got.status != http.StatusOK {
			t.Fatalf("%d %v", got.status, got.body)
		}
		now := f.Sessions(u.ID)[0].LastActiveAt
		if now.Sub(last) < time.Hour {
			t.Errorf("moved by %s only", now.Sub(last))
		}
		last = now
	}
	if got := f.ok("GET", "/sessions/"+r.sessionID(), nil)["last_active_at"]; got != float64(last.UnixMilli()) {
		t.Errorf("last_active_at %v, want %d", got, last.UnixMilli())
	}
}
