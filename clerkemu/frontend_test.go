package clerkemu

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// chromeOnMac is a User-Agent.
const chromeOnMac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) " +
	"Chrome/126.0.0.0 Safari/537.36"

// native sends a Frontend API request as a native client does.
func (f *fixture) native(path string, form url.Values, clientToken string, headers ...string) reply {
	f.t.Helper()
	r, err := f.sendNative(path, form, clientToken, headers...)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// sendNative is native for other goroutines.
func (f *fixture) sendNative(path string, form url.Values, clientToken string, headers ...string) (reply, error) {
	return f.send("POST", path+"?_is_native=1", form.Encode(), append([]string{
		"Authorization", clientToken, "Content-Type", "application/x-www-form-urlencoded", "User-Agent", chromeOnMac,
	}, headers...)...)
}

// ticket makes a sign-in token.
func (f *fixture) ticket(userID string) string {
	f.t.Helper()
	return f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": userID, "expires_in_seconds": 60})["token"].(string)
}

func ticketForm(ticket string) url.Values {
	return url.Values{"strategy": {"ticket"}, "ticket": {ticket}}
}

// signedIn is the answer of a sign-in.
type signedIn struct{ reply }

// redeem tries to sign in with a ticket.
func (f *fixture) redeem(ticket, clientToken string, headers ...string) signedIn {
	f.t.Helper()
	return signedIn{f.native("/client/sign_ins", ticketForm(ticket), clientToken, headers...)}
}

// signIn is redeem for a ticket that must be good.
func (f *fixture) signIn(ticket, clientToken string, headers ...string) signedIn {
	f.t.Helper()
	r := f.redeem(ticket, clientToken, headers...)
	if r.status != http.StatusOK {
		f.t.Fatalf("sign-in: %d %v", r.status, r.body)
	}
	return r
}

func (r signedIn) clientToken() string { return r.header.Get("Authorization") }

func (r signedIn) part(name string) map[string]any {
	return r.body.(map[string]any)[name].(map[string]any)
}

func (r signedIn) sessionID() string { return r.part("response")["created_session_id"].(string) }

func (r signedIn) tokensPath() string { return "/client/sessions/" + r.sessionID() + "/tokens" }

func TestTicketSignIn(t *testing.T) {
	for _, production := range []bool{false, true} {
		f := start(t, func(o *Options) { o.Production = production })
		u := f.seed("ada@example.com", func(s *UserSeed) {
			s.TOTPSecret, s.PrivateMetadata = totpSecret, map[string]any{"secret": "thing"}
		})
		r := f.signIn(f.ticket(u.ID), "")
		client := r.part("client")
		session := client["sessions"].([]any)[0].(map[string]any)
		if r.part("response")["status"] != "complete" || client["last_active_session_id"] != r.sessionID() ||
			session["id"] != r.sessionID() || session["user"].(map[string]any)["id"] != u.ID ||
			session["public_user_data"].(map[string]any)["identifier"] != "ada@example.com" {
			t.Errorf("sign-in %v", r.body)
		}
		if jwt := session["last_active_token"].(map[string]any)["jwt"].(string); strings.Count(jwt, ".") != 2 {
			t.Errorf("session token %q", jwt)
		}
		token := f.native(r.tokensPath(), url.Values{"organization_id": {""}}, r.clientToken())
		if token.status != http.StatusOK || token.body.(map[string]any)["object"] != "token" {
			t.Errorf("token: %d %v", token.status, token.body)
		}
	}
}
