package clerkemu

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/domain"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	"github.com/clerk/clerk-sdk-go/v2/jwt"
	sdksession "github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/clerk/clerk-sdk-go/v2/signintoken"
)

func TestSessionLifeCycle(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	sessions := sdksession.NewClient(&f.sdk)
	u := f.seed("s@example.com")
	first, err := sessions.Create(ctx, &sdksession.CreateParams{UserID: u.ID})
	if err != nil || first.Status != "active" {
		t.Fatalf("%+v %v", first, err)
	}
	if after, _ := f.UserByID(u.ID); after.LastSignInAt.IsZero() {
		t.Error("last_sign_in_at is not set")
	}
	second, err := sessions.Create(ctx, &sdksession.CreateParams{UserID: u.ID})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sessions.Revoke(ctx, &sdksession.RevokeParams{ID: first.ID}); err != nil || got.Status != "revoked" {
		t.Errorf("revoke: %+v %v", got, err)
	}
	_, err = sessions.CreateToken(ctx, &sdksession.CreateTokenParams{ID: first.ID})
	wantSDKError(t, err, http.StatusNotFound, "resource_not_found")
	list, err := sessions.List(ctx, &sdksession.ListParams{UserID: &u.ID, Status: clerk.String("active")})
	if err != nil || list.TotalCount != 1 || list.Sessions[0].ID != second.ID {
		t.Errorf("list: %+v %v", list, err)
	}
	all, ok := f.do("GET", "/sessions?user_id="+u.ID, nil).body.([]any)
	if !ok || len(all) != 2 || all[0].(map[string]any)["id"] != second.ID {
		t.Errorf("plain list: %v", all)
	}
	if byClient := f.do("GET", "/sessions?client_id="+first.ClientID, nil).body.([]any); len(byClient) != 1 {
		t.Errorf("by client: %v", byClient)
	}
	f.do("GET", "/sessions", nil).want(t, 422, "form_param_missing")
	f.do("GET", "/sessions?status=odd&user_id="+u.ID, nil).want(t, 422, "form_param_value_invalid")
	f.FastForward(defaultSessionLife)
	if got, err := sessions.Get(ctx, second.ID); err != nil || got.Status != "expired" {
		t.Errorf("after its life: %+v %v", got, err)
	}
}

func TestWhoGetsNoSession(t *testing.T) {
	f := start(t)
	tests := map[string]struct {
		seed   func(*UserSeed)
		status int
		code   string
	}{
		"banned":        {func(s *UserSeed) { s.Banned = true }, 403, "user_banned"},
		"locked":        {func(s *UserSeed) { s.Locked = true }, 403, "user_locked"},
		"deprovisioned": {func(s *UserSeed) { s.Deprovisioned = true }, 400, "deprovisioned"},
	}
	for name, tt := range tests {
		u := f.seed(name+"@example.com", tt.seed)
		f.do("POST", "/sessions", map[string]any{"user_id": u.ID}).want(t, tt.status, tt.code)
	}
	f.do("POST", "/sessions", map[string]any{"user_id": "user_x"}).want(t, 404, "resource_not_found")
	f.do("POST", "/sessions", "null").want(t, 422, "form_param_missing")

	production := start(t, func(o *Options) { o.Production = true })
	u := production.seed("p@example.com")
	production.do("POST", "/sessions", map[string]any{"user_id": u.ID}).want(t, 400, "request_invalid_for_environment")
}

func TestSessionTokensVerifyWithTheSDK(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	u := f.seed("jwt@example.com")
	sess := f.ok("POST", "/sessions", map[string]any{"user_id": u.ID})
	id := sess["id"].(string)
	verify := func(token string) (*clerk.SessionClaims, error) {
		return jwt.Verify(ctx, &jwt.VerifyParams{
			Token: token, JWKSClient: &jwks.Client{Backend: clerk.NewBackend(&f.sdk.BackendConfig)}, ProxyURL: clerk.String(f.Issuer()),
		})
	}
	token, err := sdksession.NewClient(&f.sdk).CreateToken(ctx, &sdksession.CreateTokenParams{ID: id, ExpiresInSeconds: clerk.Int64(120)})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verify(token.JWT)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject != u.ID || claims.SessionID != id || claims.AuthorizedParty != "" || *claims.Expiry-*claims.IssuedAt != 120 ||
		*claims.IssuedAt-*claims.NotBefore != 10 {
		t.Errorf("claims %+v", claims)
	}
	for _, seconds := range []int{29, 315_360_001} {
		f.do("POST", "/sessions/"+id+"/tokens", map[string]any{"expires_in_seconds": seconds}).want(t, 422, "form_param_value_invalid")
	}

	forged := f.SessionTokenClaims(u.ID, id)
	if _, err := verify(f.SignSessionToken(forged)); err != nil {
		t.Errorf("the proper claims are refused: %v", err)
	}
	forged["iss"] = "https://elsewhere.example"
	if _, err := verify(f.SignSessionToken(forged)); err == nil {
		t.Error("a foreign issuer is accepted")
	}
	if token := f.SignSessionToken(map[string]any{"bad": func() {}}); token != "" {
		t.Errorf("signed what is not JSON: %q", token)
	}
	domains, err := domain.NewClient(&f.sdk).List(ctx, nil)
	if err != nil || domains.TotalCount != 1 || domains.Domains[0].FrontendAPIURL != f.Issuer() || domains.Domains[0].IsSatellite {
		t.Errorf("domains %+v %v", domains, err)
	}
}

func TestSignInTokens(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	tokens := signintoken.NewClient(&f.sdk)
	u := f.seed("ticket@example.com")
	token, err := tokens.Create(ctx, &signintoken.CreateParams{UserID: &u.ID, ExpiresInSeconds: clerk.Int64(60)})
	if err != nil || token.Status != "pending" || token.Token == "" {
		t.Fatalf("%+v %v", token, err)
	}
	list := f.SignInTokens(u.ID)
	if len(list) != 1 || list[0].Status != "pending" || list[0].ExpireAt.Sub(list[0].CreatedAt) != time.Minute {
		t.Errorf("snapshot %+v", list)
	}
	if got, err := tokens.Revoke(ctx, token.ID); err != nil || got.Status != "revoked" || got.Token != "" {
		t.Errorf("%+v %v", got, err)
	}
	_, err = tokens.Revoke(ctx, token.ID)
	wantSDKError(t, err, http.StatusBadRequest, "sign_in_token_cannot_be_revoked_code")
	f.do("POST", "/sign_in_tokens", map[string]any{"user_id": "user_x"}).want(t, 404, "resource_not_found")
	f.do("POST", "/sign_in_tokens", map[string]any{"user_id": u.ID, "expires_in_seconds": 0}).want(t, 422, "form_param_value_invalid")
}
