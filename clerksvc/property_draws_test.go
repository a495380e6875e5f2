package clerksvc_test

import (
	"fmt"
	"slices"

	"github.com/pquerna/otp/totp"
	"pgregory.net/rapid"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
)

// drawn draws one value, three times out of four one of those that fit. What rapid draws is a number that does not depend on how
// much there is to draw from, so that a step can be left out of a failing sequence and the later ones stay what they are.
func drawn[V any](w *world, label string, fitting, all []V) V {
	const other = 4
	n := anyNumber.Draw(w.t, label)
	if len(fitting) > 0 && n%other != other-1 {
		all = fitting
	}
	return all[n/other%len(all)]
}

// anyNumber draws all numbers of 12 bits alike. Rapid's own generators prefer the ends of their ranges.
var anyNumber = rapid.Custom(func(t *rapid.T) int {
	n := 0
	for range 12 {
		if n *= 2; rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

// drawHandle draws a handle for a field: any, rather one of the kind that belongs there, rather the newest of its owner.
func (w *world) drawHandle(field string, k kind) *handle {
	return w.drawOwned(field, w.some(func(h *handle) bool { return h.kind == k }))
}

func (w *world) drawOwned(field string, fitting []*handle) *handle {
	var owners []*account
	for _, a := range w.accounts {
		if slices.ContainsFunc(fitting, func(h *handle) bool { return h.account == a }) {
			owners = append(owners, a)
		}
	}
	if len(owners) > 0 {
		owner := drawn(w, "whose", nil, owners)
		fitting = slices.DeleteFunc(fitting, func(h *handle) bool { return h.account != owner })
		fitting = append(slices.Repeat(fitting[:1], len(fitting)), fitting...)
	}
	return drawn(w, field, fitting, w.handles)
}

func (w *world) some(fits func(*handle) bool) []*handle {
	var found []*handle
	for _, h := range w.handles {
		if fits(h) {
			found = append(found, h)
		}
	}
	return found
}

// drawCode draws a code: any, rather the one that was mailed with the handle.
func (w *world) drawCode(h *handle) string {
	var fitting []string
	if h.code != nil {
		fitting = []string{w.codeName(h.code.code)}
	}
	return w.codeByName(drawn(w, "code", fitting, w.codeNames()))
}

// drawSecondFactor draws a code: any, rather one that its owner would enter.
func (w *world) drawSecondFactor(h *handle, step clerksvc.SecondFactor) string {
	if step == clerksvc.SecondFactorEmailCode {
		return w.drawCode(h)
	}
	var fitting []string
	if a := h.account; a != nil && a.TOTPEnabled {
		fitting = []string{"app of " + a.name}
		if step == clerksvc.SecondFactorBackupCode {
			fitting = a.backupCodes
		}
	}
	return w.codeByName(drawn(w, "code", fitting, w.codeNames()))
}

// Codes are drawn and told by name, since they differ from run to run: "mail 2 (ada@example.com)" is the second code that was mailed.

const wrongCode = "000000"

func (w *world) codeNames() []string {
	names := []string{wrongCode}
	for i := range w.mails {
		names = append(names, w.mailName(i))
	}
	for _, a := range w.accounts {
		if a.totpSecret != "" && !a.gone {
			names = append(names, "app of "+a.name)
		}
	}
	return append(names, "backup-1", "backup-2", "backup-3")
}

func (w *world) mailName(i int) string {
	return fmt.Sprintf("mail %d (%s)", len(w.mails)-i, w.mails[i].to)
}

func (w *world) codeByName(name string) string {
	for i, m := range w.mails {
		if w.mailName(i) == name {
			return m.code
		}
	}
	for _, a := range w.accounts {
		if code, err := totp.GenerateCode(a.totpSecret, w.now()); err == nil && a.totpSecret != "" && name == "app of "+a.name {
			return code
		}
	}
	return name
}

func (w *world) codeName(code string) string {
	for _, name := range w.codeNames() {
		if w.codeByName(name) == code {
			return name
		}
	}
	return code
}

// drawViewer draws a session token, and returns whose sessions it speaks for: nobody's if it or its session is over.
func (w *world) drawViewer() (tk *token, viewer *account) {
	var fitting []*token
	for _, tk := range w.tokens {
		if w.holds(tk) && w.active(tk.sessionID) {
			fitting = append(fitting, tk)
		}
	}
	tk = drawn(w, "session token", fitting, w.tokens)
	if w.holds(tk) && w.active(tk.sessionID) {
		viewer = tk.account
	}
	return tk, viewer
}

func (w *world) drawAccount() *account {
	var living []*account
	for _, a := range w.accounts {
		if !a.gone {
			living = append(living, a)
		}
	}
	return drawn(w, "account", nil, living)
}

// drawFault draws the operation at which Clerk fails in this step, mostly none. It fails without effect.
func (w *world) drawFault() string {
	return drawn(w, "fault", nil, append(slices.Repeat([]string{""}, 80),
		"createSession", "CreateSessionToken", "CreateSignInToken", "fapi.createSignIn", "fapi.createSessionToken",
		"UpdateUser", "GetUser", "RevokeSession", "PrepareEmailAddressVerification"))
}

func (w *world) mayFail(operation string) {
	w.clerk.ClearFaults()
	if w.fault = operation; operation == "" {
		return
	}
	if err := w.clerk.InjectFault(clerkemu.Fault{Operation: operation, Kind: clerkemu.FaultStatus, Times: 1}); err != nil {
		w.t.Fatal(err)
	}
}
