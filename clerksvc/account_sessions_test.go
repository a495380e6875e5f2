package clerksvc_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// altering returns the API of an embedded Clerk whose answers to some calls are altered on their way.
func altering(t *testing.T, clerk *clerkemu.Server, alter func(path, body string) string) *clerksvc.API {
	t.Helper()
	target, err := url.Parse(clerk.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			altered := []byte(alter(resp.Request.URL.Path, string(body)))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(altered)), int64(len(altered))
			resp.Header.Set("Content-Length", strconv.Itoa(len(altered)))
			return err
		},
	})
	t.Cleanup(server.Close)
	return clerksvc.NewAPI(clerksvc.APIConfig{URL: server.URL + "/v1", SecretKey: secret.New(clerk.SecretKey()), Timeout: apiTimeout})
}

// TestPendingSessionsLive has a session that waits for its user to do what Clerk asks for. It is not listed, as it is not active, but it
// is not over either: it is ended with the others, and its refresh token has not ended.
func TestPendingSessionsLive(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	pendingID := ""
	service := newService(t, clerk, func(cfg *clerksvc.Config) {
		cfg.API = altering(t, clerk, func(path, body string) string {
			if pendingID == "" || !strings.HasPrefix(path, "/v1/sessions") || strings.HasSuffix(path, "/tokens") {
				return body
			}
			before, after, found := strings.Cut(body, `"id":"`+pendingID+`"`)
			if !found {
				return body
			}
			return before + `"id":"` + pendingID + `"` + strings.Replace(after, `"status":"active"`, `"status":"pending"`, 1)
		})
	})
	signIn := func() *clerksvc.Session {
		t.Helper()
		signedIn, err := service.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
		if err != nil {
			t.Fatal(err)
		}
		return signedIn.Session
	}
	pending, viewer := signIn(), signIn()
	pendingID = pending.ID

	sessions, err := service.Sessions(t.Context(), clerksvc.Client{}, viewer.Token)
	if err != nil || len(sessions) != 1 || sessions[0].ID != viewer.ID {
		t.Errorf("sessions: %+v, %v", sessions, err)
	}
	refusal := clerkemu.Fault{Operation: "CreateSessionToken", Kind: clerkemu.FaultStatus, Status: 401, Code: "authentication_invalid", Times: 1}
	if err := clerk.InjectFault(refusal); err != nil {
		t.Fatal(err)
	}
	if _, err := service.RefreshSession(t.Context(), clerksvc.Client{}, clerksvc.RefreshToken{Token: pending.RefreshToken}); !errors.As(err, new(*clerksvc.UnavailableError)) {
		t.Errorf("a token that is refused for a pending session: %v", err)
	}
	if ended, err := service.SignOutEverywhere(t.Context(), clerksvc.Client{}, viewer.Token); err != nil || ended != 2 {
		t.Errorf("%d sessions ended, %v", ended, err)
	}
	for _, session := range clerk.Sessions(user.ID) {
		if session.Status != "revoked" {
			t.Errorf("%+v", session)
		}
	}
}

// TestASessionThatIsGoneIsSignedOut has Clerk know nothing any more of the session that is to be ended.
func TestASessionThatIsGoneIsSignedOut(t *testing.T) {
	c := newClocked(t, clerksvc.ModeSession)
	seed(t, c.clerk, clerkemu.UserSeed{EmailAddress: email, Password: password})
	signedIn, err := c.SignIn(t.Context(), clerksvc.SignInInput{Email: email, Password: secret.New(password)})
	if err != nil {
		t.Fatal(err)
	}
	in := clerksvc.SignOutInput{RefreshToken: clerksvc.RefreshToken{Token: signedIn.Session.RefreshToken}}
	c.inject(t, clerkemu.Fault{Operation: "RevokeSession", Kind: clerkemu.FaultStatus, Status: 404, Code: "resource_not_found", Times: 1})
	if id, err := c.SignOut(t.Context(), in); err != nil || id != signedIn.Session.ID {
		t.Errorf("%q, %v", id, err)
	}
	c.inject(t, clerkemu.Fault{Operation: "RevokeSession", Kind: clerkemu.FaultStatus, Status: 400, Code: "bad_request", Times: 1})
	if _, err := c.SignOut(t.Context(), in); !errors.As(err, new(*clerksvc.UnavailableError)) {
		t.Errorf("Clerk refuses to end a session that lives: %v", err)
	}
}
