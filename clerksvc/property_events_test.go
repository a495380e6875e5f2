package clerksvc_test

import (
	"slices"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

func (w *world) timePasses() {
	const codePause = 31 * time.Second
	d := drawn(w, "for", []time.Duration{codePause}, []time.Duration{
		time.Second, 10 * time.Second, 2 * time.Minute, 11 * time.Minute, 2 * time.Hour, 8 * 24 * time.Hour,
	})
	w.nanos.Add(int64(d))
	w.logf("%s later", d)
	w.settle(claim{}, true)
}

// redeem has a client redeem a ticket at Clerk, as Clerk's own SDKs do.
func (w *world) redeem() {
	t := drawn(w, "ticket", nil, w.tickets)
	var c claim
	if c.needAccount(t.account) {
		i := slices.IndexFunc(t.account.tickets, func(s clerkemu.SignInToken) bool { return s.ID == t.id })
		good := i >= 0 && t.account.tickets[i].Status == "pending" && w.now().Before(t.account.tickets[i].ExpireAt)
		need(&c.first, good, "a ticket that is good")
		need(&c.rest, !t.account.barred(), "leave to sign in")
	}
	redeemed, err := w.frontend.CreateSignIn(w.t.Context(), clerksvc.Client{}, secret.New(t.text))
	w.logf("%s is redeemed: %t", t.name, err == nil)
	w.settle(c, err == nil)
	if err != nil {
		return
	}
	text, err := w.frontend.CreateSessionToken(w.t.Context(), clerksvc.Client{}, redeemed)
	if err != nil {
		w.t.Fatal(err)
	}
	w.handToken(t.account, redeemed.SessionID, text.Reveal())
}

func (w *world) bar() {
	a := w.drawAccount()
	how := drawn(w, "how", nil, []string{"free", "banned", "locked", "deprovisioned"})
	w.logf("%s is %s", a.name, how)
	if err := w.clerk.SetBanned(a.ID, how == "banned"); err != nil {
		w.t.Fatal(err)
	}
	if err := w.clerk.SetLocked(a.ID, how == "locked"); err != nil {
		w.t.Fatal(err)
	}
	if err := w.clerk.SetDeprovisioned(a.ID, how == "deprovisioned"); err != nil {
		w.t.Fatal(err)
	}
	w.settle(claim{ends: func(s clerkemu.Session) bool { return how == "banned" && s.UserID == a.ID }}, true)
}

func (w *world) setPassword() {
	a := w.drawAccount()
	password := drawn(w, "password", nil, newPasswords()[:3])
	w.logf("an administrator gives %s the password %q", a.name, password)
	if _, err := w.api.UpdateUser(w.t.Context(), a.ID, &user.UpdateParams{Password: clerk.String(password)}); err != nil {
		w.t.Fatal(err)
	}
	w.settle(claim{account: a, newPassword: password}, true)
}

func (w *world) enableTOTP() {
	a := w.drawAccount()
	if a.totpSecret == "" {
		a.totpSecret = totpSecretOf(slices.Index(w.accounts, a))
	}
	w.logf("%s turns a second factor on", a.name)
	if err := w.clerk.EnableTOTP(a.ID, a.totpSecret); err != nil {
		w.t.Fatal(err)
	}
	w.settle(claim{}, true)
}
