package clerkemu

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// onlyToken is the status of a user's one sign-in token.
func (f *fixture) onlyToken(userID string) string {
	f.t.Helper()
	list := f.SignInTokens(userID)
	if len(list) != 1 {
		f.t.Fatalf("%d tokens", len(list))
	}
	return list[0].Status
}

func TestTicketRefusals(t *testing.T) {
	f, other := start(t), start(t)
	u := f.seed("ada@example.com")
	r := f.signIn(f.ticket(u.ID), "")
	session := r.part("client")["sessions"].([]any)[0].(map[string]any)
	gone := f.seed("gone@example.com")
	lost := f.ticket(gone.ID)
	pending := f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": u.ID})
	f.ok("DELETE", "/users/"+gone.ID, nil)
	for name, ticket := range map[string]string{
		"no JWT":               "ticket",
		"a session token":      session["last_active_token"].(map[string]any)["jwt"].(string),
		"a client token":       r.clientToken(),
		"of another instance":  other.ticket(other.seed("ada@example.com").ID),
		"of a deleted user":    lost,
		"without a signature":  strings.Join(strings.SplitAfter(f.ticket(u.ID), ".")[:2], ""),
		"forged without a sid": f.SignSessionToken(map[string]any{"st": "sign_in_token", "exp": 1 << 40, "iid": f.signer.instanceID}),
		"of another kind": f.SignSessionToken(map[string]any{
			"st": "actor_token", "exp": 1 << 40, "iid": f.signer.instanceID, "sid": pending["id"],
		}),
	} {
		if got := f.redeem(ticket, "").codes(); len(got) != 1 || got[0] != "ticket_invalid_code" {
			t.Errorf("%s: %v", name, got)
		}
	}

	late := f.ticket(f.seed("late@example.com").ID)
	f.FastForward(time.Minute)
	f.redeem(late, "").want(t, 400, "ticket_expired_code")

	v := f.seed("v@example.com")
	token := f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": v.ID})
	f.ok("POST", "/sign_in_tokens/"+token["id"].(string)+"/revoke", nil)
	f.redeem(token["token"].(string), "").want(t, 400, "sign_in_token_revoked_code")
}

func TestTicketsAreGoodOnce(t *testing.T) {
	f := start(t)
	u := f.seed("once@example.com")
	token := f.ok("POST", "/sign_in_tokens", map[string]any{"user_id": u.ID})
	ticket := token["token"].(string)
	f.signIn(ticket, "")
	if status := f.onlyToken(u.ID); status != "accepted" {
		t.Errorf("status %q", status)
	}
	f.redeem(ticket, "").want(t, 400, "sign_in_token_already_used_code")
	f.do("POST", "/sign_in_tokens/"+token["id"].(string)+"/revoke", nil).want(t, 400, "sign_in_token_cannot_be_revoked_code")
}

func TestOneRedemptionUnderConcurrency(t *testing.T) {
	f := start(t)
	u := f.seed("race@example.com")
	ticket := f.ticket(u.ID)
	const callers = 50
	statuses := make(chan int, callers)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			r, err := f.sendNative("/client/sign_ins", ticketForm(ticket), "")
			if err != nil {
				t.Error(err)
			}
			statuses <- r.status
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[200] != 1 || count[400] != callers-1 || len(f.Sessions(u.ID)) != 1 {
		t.Errorf("statuses %v, sessions %+v", count, f.Sessions(u.ID))
	}
}

func TestWhoIsKeptFromSigningInKeepsTheTicket(t *testing.T) {
	f := start(t)
	for name, tt := range map[string]struct {
		set    func(string, bool) error
		status int
		code   string
	}{
		"banned":        {f.SetBanned, 403, "user_banned"},
		"locked":        {f.SetLocked, 403, "user_locked"},
		"deprovisioned": {f.SetDeprovisioned, 400, "deprovisioned"},
	} {
		u := f.seed(name + "@example.com")
		ticket := f.ticket(u.ID)
		if err := tt.set(u.ID, true); err != nil {
			t.Fatal(err)
		}
		f.redeem(ticket, "").want(t, tt.status, tt.code)
		if status := f.onlyToken(u.ID); status != "pending" || len(f.Sessions(u.ID)) != 0 {
			t.Errorf("%s: token %s, sessions %+v", name, status, f.Sessions(u.ID))
		}
		if err := tt.set(u.ID, false); err != nil {
			t.Fatal(err)
		}
		f.signIn(ticket, "")
	}
}

func TestSignInParameters(t *testing.T) {
	f := start(t)
	for name, tt := range map[string]struct {
		form url.Values
		code string
	}{
		"nothing":       {nil, "form_param_missing"},
		"no strategy":   {url.Values{"ticket": {"x"}}, "form_param_missing"},
		"a password":    {url.Values{"strategy": {"password"}, "identifier": {"x"}}, "form_param_value_invalid"},
		"no ticket":     {url.Values{"strategy": {"ticket"}}, "form_param_missing"},
		"a blank one":   {ticketForm(" "), "form_param_nil"},
		"blank and all": {url.Values{"strategy": {""}}, "form_param_nil"},
	} {
		t.Run(name, func(t *testing.T) {
			f.native("/client/sign_ins", tt.form, "").want(t, 422, tt.code)
		})
	}
	r := f.do("POST", "/client/sign_ins?_is_native=1", "strategy=%zz", "Authorization", "",
		"Content-Type", "application/x-www-form-urlencoded")
	r.want(t, 400, "request_body_invalid")
	form := ticketForm(f.ticket(f.seed("ada@example.com").ID))
	form.Set("locale", "en-US") // as clerk-js does
	if r := f.native("/client/sign_ins", form, ""); r.status != http.StatusOK {
		t.Errorf("with a locale: %d %v", r.status, r.body)
	}
}

func TestSignInRateLimit(t *testing.T) {
	f := start(t, func(o *Options) { o.SignInRateLimit, o.RateLimit = 0, 3 })
	for range defaultSignInRate {
		f.redeem("x", "").want(t, 400, "ticket_invalid_code")
	}
	r := f.redeem("x", "", "X-Forwarded-For", "203.0.113.9") // from no proxy: not believed
	r.want(t, 429, "too_many_requests")
	if wait := r.header.Get("Retry-After"); wait == "" || wait == "0" {
		t.Errorf("Retry-After %q", wait)
	}
	f.native("/client/sessions/sess_x/tokens", nil, "").want(t, 401, "signed_out") // has no such limit
	f.ok("GET", "/domains", nil)                                                   // nor does the Backend API know of it
	f.FastForward(rateWindow)
	f.redeem("x", "").want(t, 400, "ticket_invalid_code")
}

func TestLostAnswerLeavesTheTicketUsed(t *testing.T) {
	f := start(t)
	u := f.seed("lost@example.com")
	ticket := f.ticket(u.ID)
	for _, tt := range []struct {
		kind   FaultKind
		status string
	}{{FaultDrop, "pending"}, {FaultDropAfterEffect, "accepted"}} {
		if err := f.InjectFault(Fault{Operation: "fapi.createSignIn", Kind: tt.kind, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if r, err := f.sendNative("/client/sign_ins", ticketForm(ticket), ""); err == nil {
			t.Errorf("%s: got an answer: %d", tt.kind, r.status)
		}
		if status := f.onlyToken(u.ID); status != tt.status {
			t.Errorf("%s: the token is %s", tt.kind, status)
		}
		if last := f.Calls()[len(f.Calls())-1]; last != (Call{"fapi.createSignIn", "POST", "/v1/client/sign_ins", 0}) {
			t.Errorf("%s: call %+v", tt.kind, last)
		}
	}
	if sessions := f.Sessions(u.ID); len(sessions) != 1 {
		t.Errorf("sessions %+v", sessions)
	}
}
