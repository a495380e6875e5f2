package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// signedIn signs in with the address and password that ada has.
func (a *api) signedIn(t testing.TB) member {
	t.Helper()
	return a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
}

const sessionsDocument = `{ viewer { sessionId sessions { sessionId current createdAt lastActiveAt expiresAt
	device { type mobile browser ipAddress city country } } } }`

type listedSession struct {
	SessionID                          string
	Current                            bool
	CreatedAt, LastActiveAt, ExpiresAt time.Time
	Device                             *struct {
		Type, Browser, IPAddress string
		Mobile                   bool
	}
}

// sessions returns the viewer's sessions.
func (a *api) sessions(t testing.TB, sessionToken string) ([]listedSession, answer) {
	t.Helper()
	got := a.query(t, sessionsDocument, nil, bearer(sessionToken))
	var viewer struct{ Sessions []listedSession }
	if err := json.Unmarshal(got.Data["viewer"], &viewer); err != nil {
		t.Fatalf("%v: %s", err, got.Raw)
	}
	return viewer.Sessions, got
}

// TestRefreshSession has a session live on for as long as Clerk says so, at one call to Clerk for a token.
func TestRefreshSession(t *testing.T) {
	for _, mode := range modes() {
		if mode.success != "SessionCreated" {
			continue
		}
		t.Run(mode.name, func(t *testing.T) {
			clerk := clerkemu.RunT(t, mode.options)
			a := startAPI(t, clerk, mode.flags(clerk)...)
			user := seed(t, clerk, ada())
			session := a.signedIn(t)
			refresh := map[string]any{"refreshToken": session["refreshToken"]}
			clerk.ResetCalls()
			refreshed := a.want(t, "SessionRefreshed", "refreshSession", refresh)
			if calls := clerk.Calls(); len(calls) != 1 || calls[0].Operation != "CreateSessionToken" {
				t.Errorf("refreshSession made these calls: %v", calls)
			}
			if refreshed["sessionId"] != session["sessionId"] || refreshed["userId"] != user.ID {
				t.Errorf("got %v", refreshed)
			}
			if viewer, got := a.viewer(t, bearer(refreshed.text("sessionToken"))); viewer.text("sessionId") != session.text("sessionId") {
				t.Errorf("the new token: %s", got.Raw)
			}

			a.want(t, "SignedOut", "signOut", refresh)
			a.want(t, "SessionEnded", "refreshSession", refresh)
			a.want(t, "SignedOut", "signOut", refresh) // once more
		})
	}
}

// TestWhatEndsASession has every way in which a session ends: its refresh token is worth nothing from then on.
func TestWhatEndsASession(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, a *api, clerk *clerkemu.Server, user clerkemu.User, session member){
		"signOut with the session token": func(t *testing.T, a *api, _ *clerkemu.Server, _ clerkemu.User, session member) {
			out := a.wantAs(t, session.text("sessionToken"), "SignedOut", "signOut", nil)
			if out["sessionId"] != session["sessionId"] {
				t.Errorf("got %v", out)
			}
		},
		"signOutEverywhere elsewhere": func(t *testing.T, a *api, _ *clerkemu.Server, _ clerkemu.User, _ member) {
			out := a.wantAs(t, a.signedIn(t).text("sessionToken"), "SignedOutEverywhere", "signOutEverywhere", nil)
			if out["endedSessions"] != 2.0 {
				t.Errorf("got %v", out)
			}
		},
		"revokeSession elsewhere": func(t *testing.T, a *api, _ *clerkemu.Server, _ clerkemu.User, session member) {
			a.wantAs(t, a.signedIn(t).text("sessionToken"), "SessionRevoked", "revokeSession", map[string]any{"sessionId": session["sessionId"]})
		},
		"a password reset": func(t *testing.T, a *api, clerk *clerkemu.Server, _ clerkemu.User, _ member) {
			a.want(t, "SessionCreated", "resetPassword", a.reset(t, clerk, email, newPassword))
		},
		"a ban": func(t *testing.T, _ *api, clerk *clerkemu.Server, user clerkemu.User, _ member) {
			if err := clerk.SetBanned(user.ID, true); err != nil {
				t.Fatal(err)
			}
		},
		"age": func(_ *testing.T, _ *api, clerk *clerkemu.Server, _ clerkemu.User, _ member) {
			clerk.FastForward(8 * 24 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			clerk := clerkemu.RunT(t)
			a := startAPI(t, clerk)
			user := seed(t, clerk, ada())
			session := a.signedIn(t)
			end(t, a, clerk, user, session)
			a.want(t, "SessionEnded", "refreshSession", map[string]any{"refreshToken": session["refreshToken"]})
			// Its session token lives on for a minute, but does nothing that Clerk is asked about.
			if name != "age" {
				a.wantAs(t, session.text("sessionToken"), "NotSignedIn", "signOutEverywhere", nil)
				a.wantAs(t, session.text("sessionToken"), "NotSignedIn", "revokeSession", map[string]any{"sessionId": session["sessionId"]})
				if _, got := a.sessions(t, session.text("sessionToken")); got.errorCode() != "SESSION_TOKEN_INVALID" {
					t.Errorf("sessions: %s", got.Raw)
				}
			}
		})
	}
}

// TestSigningOutEverywhereIsFinished has Clerk refuse to end some of the sessions. Who sends it again ends the rest.
func TestSigningOutEverywhereIsFinished(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, ada())
	for range 9 {
		a.signedIn(t)
	}
	token := a.signedIn(t).text("sessionToken")
	a.viewer(t, bearer(token))
	inject(t, clerk, clerkemu.Fault{Operation: "RevokeSession", Kind: clerkemu.FaultStatus, Status: 429, Times: 3})
	a.wantAs(t, token, "RateLimited", "signOutEverywhere", nil)
	if left := len(activeSessions(clerk, user.ID)); left != 3+1 { // those, and the viewer's own
		t.Errorf("%d are active", left)
	}
	a.recover(t, clerk)
	a.wantAs(t, token, "SignedOutEverywhere", "signOutEverywhere", nil)
	if active := activeSessions(clerk, user.ID); len(active) > 0 {
		t.Errorf("active: %v", active)
	}
}

// TestBadSessions has tokens and ids that are not the right ones, with their exact answers. None may end or give a session.
func TestBadSessions(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, withTOTP())
	unfinished := a.want(t, "SecondFactorRequired", "signIn", map[string]any{"email": email, "password": password})
	mine := a.want(t, "SessionCreated", "attemptSecondFactor", attempt(unfinished["signInId"], "TOTP", totpCode(t, clerk, email)))
	theirs := seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password})
	other := a.want(t, "SessionCreated", "signIn", map[string]any{"email": "other@example.com", "password": password})
	myToken, refresh := mine.text("sessionToken"), mine.text("refreshToken")
	altered := refresh[:100] + map[bool]string{true: "B", false: "A"}[refresh[100] == 'A'] + refresh[101:]

	for _, row := range []struct {
		name, token, mutation string
		input                 map[string]any
		want                  string
	}{
		{"no refresh token", "", "refreshSession", nil, "InvalidInput refreshToken:REQUIRED"},
		{"an empty refresh token", "", "refreshSession", map[string]any{"refreshToken": ""}, "InvalidInput refreshToken:REQUIRED"},
		{"an altered refresh token", "", "refreshSession", map[string]any{"refreshToken": altered}, "InvalidInput refreshToken:INVALID_HANDLE"},
		{"a signInId for a refresh token", "", "refreshSession", map[string]any{"refreshToken": unfinished["signInId"]}, "InvalidInput refreshToken:INVALID_HANDLE"},
		{"a session token for a refresh token", "", "refreshSession", map[string]any{"refreshToken": myToken}, "InvalidInput refreshToken:INVALID_HANDLE"},
		{"a refresh token for a signInId", "", "attemptSecondFactor", attempt(refresh, "TOTP", totpCode(t, clerk, email)), "InvalidInput signInId:INVALID_HANDLE"},
		{"a refresh token for a session token", refresh, "signOutEverywhere", nil, "NotSignedIn"},
		{"signing out with an altered refresh token", "", "signOut", map[string]any{"refreshToken": altered}, "InvalidInput refreshToken:INVALID_HANDLE"},
		{"signing out of nothing", "", "signOut", nil, "NotSignedIn"},
		{"signing out with a token that is none", "let me in", "signOut", nil, "NotSignedIn"},
		{"everywhere, of nobody", "", "signOutEverywhere", nil, "NotSignedIn"},
		{"revoking, as nobody", "", "revokeSession", map[string]any{"sessionId": mine["sessionId"]}, "NotSignedIn"},
		{"revoking somebody else's session", myToken, "revokeSession", map[string]any{"sessionId": other["sessionId"]}, "SessionNotFound"},
		{"revoking a session that does not exist", myToken, "revokeSession", map[string]any{"sessionId": "sess_2abcdefghijklmnopqrstuvwxyz"}, "SessionNotFound"},
		{"revoking a user", myToken, "revokeSession", map[string]any{"sessionId": user.ID}, "InvalidInput sessionId:INVALID_FORMAT"},
		{"revoking something else", myToken, "revokeSession", map[string]any{"sessionId": "sess_1/../../users/" + user.ID}, "InvalidInput sessionId:INVALID_FORMAT"},
	} {
		t.Run(row.name, func(t *testing.T) {
			result := a.doAs(t, row.token, row.mutation, row.input)
			got := result.typename()
			if problems := fieldProblems(result); problems != "" {
				got += " " + problems
			}
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
	for id, session := range map[string]member{user.ID: mine, theirs.ID: other} {
		if active := activeSessions(clerk, id); len(active) != 1 || !active[session.text("sessionId")] {
			t.Errorf("active sessions of %s: %v", id, active)
		}
	}
}

// TestSessionsOfTheViewer lists them, the newest first, at one call to Clerk and only where they are asked for.
func TestSessionsOfTheViewer(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--session-mode=exchange", "--clerk-frontend-api-url="+clerk.FrontendAPIURL())
	seed(t, clerk, ada())
	seed(t, clerk, clerkemu.UserSeed{EmailAddress: "other@example.com", Password: password})
	a.want(t, "SessionCreated", "signIn", map[string]any{"email": "other@example.com", "password": password})
	first := a.signedIn(t)
	clerk.FastForward(time.Second)
	second := a.signedIn(t)
	token := second.text("sessionToken")
	a.viewer(t, bearer(token))
	clerk.ResetCalls()
	sessions, got := a.sessions(t, token)
	if calls := clerk.Calls(); len(calls) != 1 || calls[0].Operation != "GetSessionList" {
		t.Errorf("these calls: %v", calls)
	}
	if len(sessions) != 2 || sessions[0].SessionID != second.text("sessionId") || sessions[1].SessionID != first.text("sessionId") ||
		!sessions[0].Current || sessions[1].Current {
		t.Fatalf("got %s", got.Raw)
	}
	newest := sessions[0]
	if newest.Device == nil || newest.Device.IPAddress != "127.0.0.1" || newest.Device.Browser != "Firefox 145.0" {
		t.Errorf("device: %s", got.Raw)
	}
	if !newest.CreatedAt.After(sessions[1].CreatedAt) || newest.LastActiveAt.Before(newest.CreatedAt) || !newest.ExpiresAt.After(newest.LastActiveAt) {
		t.Errorf("times: %s", got.Raw)
	}
	clerk.ResetCalls()
	if got := a.query(t, `{ viewer { a: sessions { sessionId } b: sessions { sessionId } } }`, nil, bearer(token)); got.errorCode() != "BAD_REQUEST" {
		t.Errorf("twice in a document: %s", got.Raw)
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("twice in a document: these calls: %v", calls)
	}
	inject(t, clerk, clerkemu.Fault{Operation: "GetSessionList", Kind: clerkemu.FaultStatus, Status: 500})
	if _, got := a.sessions(t, token); got.errorCode() != "SERVICE_UNAVAILABLE" {
		t.Errorf("while Clerk fails: %s", got.Raw)
	}
}

// TestARefusalIsLookedInto has Clerk refuse a token with a code that its specification does not tell. Whether the session has ended is
// asked of Clerk, not guessed.
func TestARefusalIsLookedInto(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	seed(t, clerk, ada())
	session := a.signedIn(t)
	refresh := map[string]any{"refreshToken": session["refreshToken"]}
	refusal := clerkemu.Fault{Operation: "CreateSessionToken", Kind: clerkemu.FaultStatus, Status: 401, Code: "authentication_invalid", Times: 1}
	inject(t, clerk, refusal)
	a.want(t, "ServiceUnavailable", "refreshSession", refresh)
	a.want(t, "SignedOut", "signOut", refresh)
	inject(t, clerk, refusal)
	a.want(t, "SessionEnded", "refreshSession", refresh)
}
