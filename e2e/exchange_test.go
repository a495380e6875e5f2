package e2e

import (
	"net/http"
	"testing"
	"time"

	"clerkql/clerkemu"
)

const proxyURL = "https://example.com/__clerk"

// startExchange runs the API in exchange mode in front of a production instance, with a Frontend API proxy or without.
func startExchange(t testing.TB, proxied bool, options ...func(*clerkemu.Options)) (*clerkemu.Server, *api) {
	t.Helper()
	clerk := clerkemu.RunT(t, append(options, func(o *clerkemu.Options) {
		o.Production = true
		if proxied {
			o.ProxyURL = proxyURL
		}
	})...)
	flags := []string{"--session-mode=exchange", "--clerk-frontend-api-url=" + clerk.FrontendAPIURL(), "--trusted-proxies=127.0.0.1/32"}
	if proxied {
		flags = append(flags, "--clerk-proxy-url="+proxyURL)
	}
	return clerk, startAPI(t, clerk, flags...)
}

// signInFrom signs in as a client behind a trusted proxy of ours would.
func (a *api) signInFrom(t testing.TB, ip string) string {
	t.Helper()
	got := a.query(t, `mutation { signIn(input: {email: "`+email+`", password: "`+password+`"}) { __typename ... on SessionCreated { sessionToken } } }`,
		nil, http.Header{"X-Forwarded-For": {ip}})
	var result member
	a.decode(t, got, "signIn", &result)
	return result.typename()
}

// TestTheClientsIPIsForwarded has Clerk count sign-ins by the IP of who signs in, where the instance has a proxy set up.
func TestTheClientsIPIsForwarded(t *testing.T) {
	limit := func(o *clerkemu.Options) { o.SignInRateLimit = 5 }
	clerk, a := startExchange(t, true, limit)
	user := seed(t, clerk, ada())
	for range 5 {
		if got := a.signInFrom(t, "198.51.100.7"); got != "SessionCreated" {
			t.Fatalf("got %s", got)
		}
	}
	if got := a.signInFrom(t, "198.51.100.7"); got != "RateLimited" {
		t.Errorf("the sixth sign-in from an IP: %s", got)
	}
	if got := a.signInFrom(t, "2001:db8::7"); got != "SessionCreated" {
		t.Errorf("the first sign-in from another IP: %s", got)
	}
	sessions := clerk.Sessions(user.ID)
	if first, last := sessions[0], sessions[len(sessions)-1]; first.IPAddress != "198.51.100.7" || last.IPAddress != "2001:db8::7" || last.Browser != "Firefox" {
		t.Errorf("sessions: %+v, %+v", first, last)
	}

	// Without a proxy, Clerk takes the server for the client.
	clerk, a = startExchange(t, false, limit)
	seed(t, clerk, ada())
	for i, ip := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5", "198.51.100.6"} {
		want := map[bool]string{true: "SessionCreated", false: "RateLimited"}[i < 5]
		if got := a.signInFrom(t, ip); got != want {
			t.Errorf("sign-in %d: %s, want %s", i+1, got, want)
		}
	}
}

// TestAnUnredeemedTicketIsRevoked has redeeming a ticket fail in every way, and looks for what is left.
func TestAnUnredeemedTicketIsRevoked(t *testing.T) {
	for _, row := range []struct {
		name  string
		fault clerkemu.Fault
		want  string
		left  string // state of the ticket
	}{
		{"an internal error", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 500}, "ServiceUnavailable", "revoked"},
		{"too many requests", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 429}, "RateLimited", "revoked"},
		{"the connection drops", clerkemu.Fault{Kind: clerkemu.FaultDrop}, "ServiceUnavailable", "revoked"},
		{"a gateway's page", clerkemu.Fault{Kind: clerkemu.FaultGarbage}, "ServiceUnavailable", "revoked"},
		{"the Native API is off", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 400, Code: "native_api_disabled"}, "ServiceUnavailable", "revoked"},
		{"a proxy that Clerk does not know", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 400, Code: "host_invalid"}, "ServiceUnavailable", "revoked"},
		{"banned a moment ago", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 403, Code: "user_banned"}, "AccountBanned", "revoked"},
		{"locked a moment ago", clerkemu.Fault{Kind: clerkemu.FaultStatus, Status: 403, Code: "user_locked"}, "AccountLocked", "revoked"},
		{"the answer is lost", clerkemu.Fault{Kind: clerkemu.FaultDropAfterEffect}, "ServiceUnavailable", "accepted"},
	} {
		t.Run(row.name, func(t *testing.T) {
			clerk, a := startExchange(t, false)
			user := seed(t, clerk, ada())
			row.fault.Operation, row.fault.Times = "fapi.createSignIn", 1
			inject(t, clerk, row.fault)
			credentials := map[string]any{"email": email, "password": password}
			a.want(t, row.want, "signIn", credentials)
			if tickets := clerk.SignInTokens(user.ID); len(tickets) != 1 || tickets[0].Status != row.left {
				t.Errorf("tickets: %+v", tickets)
			}
			if active := activeSessions(clerk, user.ID); row.left == "revoked" && len(active) > 0 {
				t.Errorf("sessions: %v", active)
			}
			if row.left == "accepted" {
				a.logged(t, "a session was made that nobody holds")
			}
			if row.want == "RateLimited" { // as it was told
				time.Sleep(time.Second + 100*time.Millisecond)
			}
			a.want(t, "SessionCreated", "signIn", credentials)
		})
	}
}

// TestTicketsAreRefusedToTheBanned redeems a ticket of a user who was banned after it was issued: Clerk makes no session of it.
func TestTicketsAreRefusedToTheBanned(t *testing.T) {
	clerk := clerkemu.RunT(t, func(o *clerkemu.Options) { o.Production = true })
	a := startAPI(t, clerk, "--session-mode=ticket")
	user := seed(t, clerk, withTOTP())
	half := attempt(a.signInHalf(t, email, password), "TOTP", totpCode(t, clerk, email))
	if err := clerk.SetBanned(user.ID, true); err != nil {
		t.Fatal(err)
	}
	// Moments after the password, Clerk is not asked again whether the user is barred: it refuses the ticket itself.
	ticket := a.want(t, "SignInTicketIssued", "attemptSecondFactor", half)
	exchanging := startAPI(t, clerk, "--session-mode=exchange", "--clerk-frontend-api-url="+clerk.FrontendAPIURL())
	exchanging.want(t, "AccountBanned", "signIn", map[string]any{"email": email, "password": password})
	if status := redeem(t, clerk, ticket.text("ticket")); status != http.StatusForbidden || len(clerk.Sessions(user.ID)) > 0 {
		t.Errorf("redeeming the ticket: status %d, sessions %v", status, clerk.Sessions(user.ID))
	}
}
