package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"clerkql/clerkemu"
)

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

const viewerDocument = `{ viewer { userId sessionId expiresAt } }`

func (a *api) viewer(t testing.TB, header http.Header) (member, answer) {
	t.Helper()
	got := a.query(t, viewerDocument, nil, header)
	var viewer member
	if raw := got.Data["viewer"]; raw != nil {
		if err := json.Unmarshal(raw, &viewer); err != nil {
			t.Fatal(err)
		}
	}
	return viewer, got
}

func TestViewer(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	user := seed(t, clerk, ada())
	session := a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})

	if viewer, got := a.viewer(t, nil); viewer != nil || got.errorCode() != "" {
		t.Errorf("signed out: %s", got.Raw)
	}
	viewer, got := a.viewer(t, bearer(session.text("sessionToken")))
	if viewer.text("userId") != user.ID || viewer.text("sessionId") != session.text("sessionId") || viewer.text("expiresAt") != session.text("expiresAt") {
		t.Errorf("signed in: %s", got.Raw)
	}

	clerk.ResetCalls()
	for range 10 {
		a.viewer(t, bearer(session.text("sessionToken")))
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("a viewer with known keys made calls: %v", calls)
	}

	altered := session.text("sessionToken")
	altered = altered[:len(altered)-10] + strings.Repeat("A", 10)
	for name, header := range map[string]http.Header{
		"not a token":    bearer("let me in"),
		"no token":       {"Authorization": {"Bearer "}},
		"another scheme": {"Authorization": {"Basic " + session.text("sessionToken")}},
		"altered":        bearer(altered),
		"oversized":      bearer(strings.Repeat("A", 9000)),
	} {
		viewer, got := a.viewer(t, header)
		if viewer != nil || got.errorCode() != "SESSION_TOKEN_INVALID" {
			t.Errorf("%s: %s", name, got.Raw)
		}
	}
}

// TestTheIssuerIsLearned has a server that was told nothing but the secret key: it asks Clerk who issues the tokens, once.
func TestTheIssuerIsLearned(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	seed(t, clerk, ada())
	token := a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password}).text("sessionToken")
	clerk.ResetCalls()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			got, err := a.send(t.Context(), `{"query":"{ viewer { userId } }"}`, bearer(token))
			if err != nil || got.errorCode() != "" {
				t.Errorf("refused: %v, %s", err, got.Raw)
			}
		})
	}
	all.Wait()
	if calls := clerk.Calls(); len(calls) != 2 {
		t.Errorf("50 viewers made %d calls, want GetJWKS and ListDomains: %v", len(calls), calls)
	}
}

func TestViewerWhileClerkIsDown(t *testing.T) {
	clerk := clerkemu.RunT(t)
	user := seed(t, clerk, ada())
	token := clerk.SignSessionToken(clerk.SessionTokenClaims(user.ID, "sess_2abcdefghijklmnopqrstuvwxyz"))
	a := startAPI(t, clerk)
	inject(t, clerk, clerkemu.Fault{Operation: "GetJWKS", Kind: clerkemu.FaultDrop})
	if _, got := a.viewer(t, bearer(token)); got.errorCode() != "SERVICE_UNAVAILABLE" {
		t.Errorf("got %s", got.Raw)
	}
	clerk.ClearFaults()
	time.Sleep(1100 * time.Millisecond) // the server asks once in a second while it knows no keys
	if viewer, got := a.viewer(t, bearer(token)); viewer.text("userId") != user.ID {
		t.Errorf("once Clerk is back: %s", got.Raw)
	}
}

func TestPasswordPolicy(t *testing.T) {
	clerk := clerkemu.RunT(t)
	type policy struct{ MinLength, MaxLength, MaxBytes, MinStrength int }
	for _, row := range []struct {
		name  string
		flags []string
		want  policy
		rules string
	}{
		{"by default", nil, policy{8, 72, 72, 2}, "MIN_LENGTH MAX_LENGTH MAX_BYTES NOT_LEAKED NOT_IDENTIFIER STRENGTH"},
		{
			"of settings",
			[]string{"--password-min-length=12", "--password-max-length=64", "--password-min-strength=0", "--password-forbidden-words=clerkql"},
			policy{12, 64, 72, 0},
			"MIN_LENGTH MAX_LENGTH MAX_BYTES NOT_LEAKED NOT_IDENTIFIER FORBIDDEN_WORD",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := startAPI(t, clerk, row.flags...).query(t, `{ passwordPolicy { minLength maxLength maxBytes minStrength rules { rule message } } }`, nil, nil)
			var told struct {
				policy
				Rules []struct{ Rule, Message string }
			}
			if err := json.Unmarshal(got.Data["passwordPolicy"], &told); err != nil {
				t.Fatal(err)
			}
			var rules []string
			messages := map[string]bool{"": true}
			for _, rule := range told.Rules {
				rules = append(rules, rule.Rule)
				if messages[rule.Message] {
					t.Errorf("%s has no message of its own: %q", rule.Rule, rule.Message)
				}
				messages[rule.Message] = true
			}
			if told.policy != row.want || strings.Join(rules, " ") != row.rules {
				t.Errorf("got %s", got.Raw)
			}
		})
	}
}

// TestTheSchemaIsNotToldUnlessAskedFor has a server as it is without --playground.
func TestTheSchemaIsNotToldUnlessAskedFor(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := start(t, []string{
		"serve", "--addr=127.0.0.1:0", "--log-format=json",
		"--clerk-api-url=" + clerk.APIURL(), "--clerk-secret-key=" + clerk.SecretKey(), "--handle-keys=" + handleKey,
	})
	for _, document := range []string{`{ __schema { types { name } } }`, `{ t: __type(name: "Query") { name } }`, `{ ...F } fragment F on Query { __schema { description } }`} {
		if got := a.query(t, document, nil, nil); got.errorCode() != "BAD_REQUEST" {
			t.Errorf("%s answers %s", document, got.Raw)
		}
	}
	if got := a.query(t, `{ vewer { userId } }`, nil, nil); strings.Contains(got.Raw, "Did you mean") {
		t.Errorf("a suggestion: %s", got.Raw)
	}
	if status, _ := get(t, strings.TrimSuffix(a.url, "graphql")); status != http.StatusNotFound {
		t.Errorf("the Playground answers with status %d", status)
	}
	if got := startAPI(t, clerk).query(t, `{ __schema { queryType { name } } }`, nil, nil); got.errorCode() != "" {
		t.Errorf("with --playground: %s", got.Raw)
	}
}
