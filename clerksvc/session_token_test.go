package clerksvc_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	clerksdk "github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/jwks"
	sdkjwt "github.com/clerk/clerk-sdk-go/v2/jwt"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

const sessionID = "sess_2abcdefghijklmnopqrstuvwxyz"

// sdkVerify is clerk-sdk-go's own verification, as an application behind us would use it.
func sdkVerify(t *testing.T, clerk *clerkemu.Server, token string) (*clerksdk.SessionClaims, error) {
	t.Helper()
	config := &clerksdk.ClientConfig{}
	config.Key = clerksdk.String(clerk.SecretKey())
	config.URL = clerksdk.String(clerk.APIURL())
	return sdkjwt.Verify(t.Context(), &sdkjwt.VerifyParams{
		Token:      token,
		JWKSClient: jwks.NewClient(config),
		ProxyURL:   clerksdk.String(clerk.Issuer()),
	})
}

// TestSessionTokensOfFlows has the tokens that signIn and verifyEmail return accepted by the SDK's verifier and by ours.
func TestSessionTokensOfFlows(t *testing.T) {
	clerk := clerkemu.RunT(t)
	service := newService(t, clerk)

	started, err := service.SignUp(t.Context(), clerksvc.SignUpInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	verified, err := service.VerifyEmail(t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: started.EmailAddressID,
		VerificationID: started.VerificationID,
		Code:           secret.New(clerk.Mail(email)[0].Code),
	})
	if err != nil {
		t.Fatal(err)
	}
	signedIn, err := service.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	for flow, session := range map[string]*clerksvc.Session{"verifyEmail": verified.Session, "signIn": signedIn.Session} {
		claims, err := sdkVerify(t, clerk, session.Token.Reveal())
		if err != nil || claims.Subject != started.UserID || claims.SessionID != session.ID {
			t.Errorf("%s: the SDK's verifier: %+v, %v", flow, claims, err)
		}
		viewer, err := service.Viewer(t.Context(), clerksvc.Client{}, session.Token)
		if err != nil || viewer.UserID != started.UserID || viewer.SessionID != session.ID || !viewer.ExpiresAt.Equal(session.TokenExpiresAt) {
			t.Errorf("%s: our verifier: %+v, %v", flow, viewer, err)
		}
	}
}

// TestViewerRefuses signs tokens with the instance's own key that lack something, and expects each to be refused. The last
// column says what the SDK's verifier makes of them, which is why there is one of ours.
func TestViewerRefuses(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	service := newService(t, clerk, func(c *clerksvc.Config) { c.AuthorizedParties = []string{"https://app.example.com"} })
	now := time.Now()

	for _, row := range []struct {
		name    string
		change  func(claims map[string]any)
		ours    bool
		theSDKs bool
	}{
		{"as Clerk makes it", func(map[string]any) {}, true, true},
		{"with our azp", func(c map[string]any) { c["azp"] = "https://app.example.com" }, true, true},
		{"expired within the clock skew", func(c map[string]any) { c["exp"] = now.Add(-2 * time.Second).Unix() }, true, false},
		{"expired", func(c map[string]any) { c["exp"] = now.Add(-10 * time.Second).Unix() }, false, false},
		{"not valid yet", func(c map[string]any) { c["nbf"] = now.Add(time.Minute).Unix() }, false, false},
		{"no exp", func(c map[string]any) { delete(c, "exp") }, false, true},
		{"no sub", func(c map[string]any) { delete(c, "sub") }, false, true},
		{"no sid", func(c map[string]any) { delete(c, "sid") }, false, true},
		{"no iss", func(c map[string]any) { delete(c, "iss") }, false, false},
		{"another issuer", func(c map[string]any) { c["iss"] = "https://clerk.example.com" }, false, false},
		{"an issuer that begins alike", func(c map[string]any) { c["iss"] = clerk.Issuer() + ".example.com" }, false, false},
		{"sts pending", func(c map[string]any) { c["sts"] = "pending" }, false, true},
		{"another azp", func(c map[string]any) { c["azp"] = "https://evil.example.com" }, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			claims := clerk.SessionTokenClaims(user.ID, sessionID)
			row.change(claims)
			token := clerk.SignSessionToken(claims)

			for range 2 { // The signature of one that was seen before is not checked again.
				viewer, err := service.Viewer(t.Context(), clerksvc.Client{}, secret.New(token))
				if row.ours != (err == nil) {
					t.Errorf("our verifier: %+v, %v", viewer, err)
				}
				if err != nil && !errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
					t.Errorf("our verifier failed in another way: %v", err)
				}
			}
			if _, err := sdkVerify(t, clerk, token); row.theSDKs != (err == nil) {
				t.Errorf("the SDK's verifier: %v", err)
			}
		})
	}
}

// TestUnknownKeysDoNotHammerClerk sends tokens of another instance, whose key ids we can't know.
func TestUnknownKeysDoNotHammerClerk(t *testing.T) {
	clerk := clerkemu.RunT(t)
	now := time.Now()
	var clock sync.Mutex
	service := newService(t, clerk, func(c *clerksvc.Config) {
		c.Issuer = clerk.Issuer()
		c.Now = func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			return now
		}
	})
	other := clerkemu.RunT(t)
	foreign := secret.New(other.SignSessionToken(other.SessionTokenClaims("user_2abcdefghijklmnopqrstuvwxyz", sessionID)))

	refuse := func() {
		t.Helper()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, err := service.Viewer(t.Context(), clerksvc.Client{}, foreign); !errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
					t.Errorf("a foreign token: %v", err)
				}
			})
		}
		all.Wait()
	}
	fetches := func() int { return len(clerk.Calls()) }

	refuse()
	if got := fetches(); got != 1 {
		t.Errorf("100 tokens with an unknown key made %d calls, want 1: %v", got, clerk.Calls())
	}
	clock.Lock()
	now = now.Add(2 * time.Minute)
	clock.Unlock()
	refuse()
	if got := fetches(); got != 2 {
		t.Errorf("and 100 more two minutes later %d in all, want 2", got)
	}
}

// TestFailuresDoNotHammerClerk has viewers at a time when Clerk gives the keys, but not the issuer.
func TestFailuresDoNotHammerClerk(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	now := time.Now()
	service := newService(t, clerk, func(c *clerksvc.Config) { c.Now = func() time.Time { return now } })
	token := secret.New(clerk.SignSessionToken(clerk.SessionTokenClaims(user.ID, sessionID)))
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "ListDomains", Kind: clerkemu.FaultStatus, Status: 403, Code: "authorization_invalid"}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var unavailable *clerksvc.UnavailableError
		if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token); !errors.As(err, &unavailable) {
			t.Errorf("without an issuer: %v", err)
		}
	}
	if calls := clerk.Calls(); len(calls) != 2 {
		t.Errorf("20 viewers made %d calls, want 2: %v", len(calls), calls)
	}
	clerk.ClearFaults()
	now = now.Add(2 * time.Second)
	if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token); err != nil {
		t.Errorf("once the issuer is known: %v", err)
	}
}

// TestATokenThatWasSeenExpires holds that remembering a signature makes no token live longer, or be another's.
func TestATokenThatWasSeenExpires(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	ahead := time.Duration(0)
	service := newService(t, clerk, func(c *clerksvc.Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
	token := clerk.SignSessionToken(clerk.SessionTokenClaims(user.ID, sessionID))
	for range 2 {
		if _, err := service.Viewer(t.Context(), clerksvc.Client{}, secret.New(token)); err != nil {
			t.Fatal(err)
		}
	}
	payload := strings.Index(token, ".") + 5
	for name, altered := range map[string]string{
		"altered":             token[:payload] + "x" + token[payload+1:],
		"with more":           token + "A",
		"without a signature": token[:strings.LastIndex(token, ".")+1],
	} {
		if _, err := service.Viewer(t.Context(), clerksvc.Client{}, secret.New(altered)); !errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ahead = 2 * time.Minute
	if _, err := service.Viewer(t.Context(), clerksvc.Client{}, secret.New(token)); !errors.Is(err, clerksvc.ErrSessionTokenInvalid) {
		t.Errorf("expired: %v", err)
	}
}

// TestKeysServeOnWhileClerkIsDown has keys that are due for renewal when Clerk can't be asked.
func TestKeysServeOnWhileClerkIsDown(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	ahead := time.Duration(0)
	service := newService(t, clerk, func(c *clerksvc.Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
	token := func() secret.String {
		claims := clerk.SessionTokenClaims(user.ID, sessionID)
		claims["exp"] = time.Now().Add(24 * time.Hour).Unix()
		return secret.New(clerk.SignSessionToken(claims))
	}
	if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token()); err != nil {
		t.Fatal(err)
	}
	ahead = 2 * time.Hour
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "GetJWKS", Kind: clerkemu.FaultStatus}); err != nil {
		t.Fatal(err)
	}
	clerk.ResetCalls()
	for i := range 5 {
		if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token()); err != nil {
			t.Errorf("viewer %d: %v", i, err)
		}
	}
	// No viewer waited for the answer.
	if calls := callsUntil(clerk, 3); len(calls) != 3 {
		t.Errorf("%d calls to renew the keys in a moment, want one and its two repetitions", len(calls))
	}
}

// callsUntil waits until so many calls were made, and a moment for one more.
func callsUntil(clerk *clerkemu.Server, n int) []clerkemu.Call {
	for began := time.Now(); len(clerk.Calls()) < n && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	return clerk.Calls()
}

// TestKeysAreRenewedAhead holds that nobody waits for keys that are there already.
func TestKeysAreRenewedAhead(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	ahead := time.Duration(0)
	service := newService(t, clerk, func(c *clerksvc.Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
	claims := clerk.SessionTokenClaims(user.ID, sessionID)
	claims["exp"] = time.Now().Add(24 * time.Hour).Unix()
	token := secret.New(clerk.SignSessionToken(claims))
	if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token); err != nil {
		t.Fatal(err)
	}
	ahead = time.Hour
	const latency = 2 * time.Second
	if err := clerk.InjectFault(clerkemu.Fault{Operation: "GetJWKS", Kind: clerkemu.FaultLatency, Latency: latency}); err != nil {
		t.Fatal(err)
	}
	clerk.ResetCalls()
	began := time.Now()
	if _, err := service.Viewer(t.Context(), clerksvc.Client{}, token); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > latency/2 {
		t.Errorf("the viewer waited %v for keys", took)
	}
	if calls := callsUntil(clerk, 1); len(calls) != 1 || calls[0].Operation != "GetJWKS" {
		t.Errorf("these calls: %v", calls)
	}
}
