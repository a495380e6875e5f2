package clerksvc_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

// signInMembers are the outcomes that every flow may have which signs in.
func signInMembers(more ...string) []string {
	return append(more, "SecondFactorRequired", "AccountLocked", "AccountBanned", "InvalidInput", "RateLimited", "ServiceUnavailable")
}

func (w *world) signUp() {
	address := drawn(w, "address", []string{carol, dan}, addresses())
	var known []string
	if a := w.holder(address); a != nil {
		known = []string{a.password}
	}
	password := drawn(w, "password", known, newPasswords())
	w.mayFail(w.drawFault())
	started, err := w.service.SignUp(w.t.Context(), clerksvc.SignUpInput{Email: address, Password: secret.New(password)})
	documented := []string{"PasswordRejected", "SignUpRestricted", "InvalidInput", "RateLimited", "ServiceUnavailable"}
	if !w.strict {
		documented = append(documented, "EmailTaken")
	}
	w.ended(err, fmt.Sprintf("SignUp(%s, %q)", address, password), documented...)
	m := w.settle(claim{signsUp: address, newPassword: password}, err == nil)
	if err != nil {
		return
	}
	a := w.holder(address)
	if w.strict {
		w.handStrictly(a, started, password, m.mail)
		return
	}
	if a == nil || started.UserID != a.ID || m.mail == nil || m.mail.to != address {
		w.failf("the sign-up of %s went to another account or address", address)
	}
	w.handEmailAddress(a, started.EmailAddressID, password)
	h := handle{text: started.VerificationID, kind: kindVerification, account: a, code: m.mail, expires: started.ExpiresAt}
	h.first = a.CreatedAt.Equal(w.now())
	w.hand(h)
}

// handStrictly notes the handles of a sign-up that does not tell whether there is an account. Without a mail they are about nobody, but for
// the emailAddressId of who proved the password of an unfinished sign-up.
func (w *world) handStrictly(a *account, started *clerksvc.VerificationRequired, password string, mail *mailed) {
	if started.UserID != "" || !started.ExpiresAt.Equal(w.now().Add(10*time.Minute)) {
		w.failf("a strict sign-up tells whether there is an account")
	}
	if mail == nil && (a == nil || a.Verified || a.password != password) {
		a = nil
	}
	w.handEmailAddress(a, started.EmailAddressID, password)
	h := handle{text: started.VerificationID, kind: kindVerification, expires: started.ExpiresAt}
	if mail != nil {
		h.account, h.code, h.first = a, mail, a.CreatedAt.Equal(w.now())
	}
	w.hand(h)
}

// handEmailAddress notes an emailAddressId, which is given for a right password.
func (w *world) handEmailAddress(a *account, text, password string) {
	h := handle{text: text, kind: kindEmailAddress, account: a, expires: w.now().Add(24 * time.Hour)}
	if a != nil {
		h.passwordAt = a.PasswordUpdatedAt
		need(&h.missing, a.password == password, "the password")
	}
	w.hand(h)
}

func (w *world) verifyEmail() {
	e := w.drawHandle("emailAddressId", kindEmailAddress)
	v := drawn(w, "verificationId", w.some(func(h *handle) bool { return h.kind == kindVerification && h.account == e.account }), w.handles)
	entered := w.drawCode(v)

	var c claim
	if c.needAccount(e.account) {
		a := e.account
		need(&c.first, e.kind == kindEmailAddress && w.now().Before(e.expires), "an emailAddressId that holds")
		need(&c.first, v.kind == kindVerification && v.account == a, "a verificationId of the same address")
		c.first = append(c.first, e.missing...)
		if v.account == a {
			c.code = w.rightCode(v, entered)
		}
		need(&c.first, c.code != nil, "the code that was mailed")
		need(&c.first, !a.Verified, "an address that waits for its code")
		// Documented: in session mode, an account that is not 30 seconds old is not looked at.
		fresh := w.mode == clerksvc.ModeSession && !w.strict && v.first && w.now().Before(v.issued.Add(30*time.Second))
		need(&c.first, fresh || e.passwordAt.Equal(a.PasswordUpdatedAt), "the password, which has changed since")
		need(&c.rest, fresh || !a.barred(), "leave to sign in")
		need(&c.rest, fresh || !a.TOTPEnabled, "the second factor")
	}
	w.mayFail(w.drawFault())
	signedIn, err := w.service.VerifyEmail(w.t.Context(), clerksvc.VerifyEmailInput{
		EmailAddressID: e.text, VerificationID: v.text, Code: secret.New(entered),
	})
	w.ended(err, fmt.Sprintf("VerifyEmail(%s, %s, %s)", e.name, v.name, w.codeName(entered)),
		signInMembers("InvalidCode", "VerificationExpired", "AlreadyVerified")...)
	if w.strict && c.account == nil && e.kind == kindEmailAddress && outcomeName(err) == "AlreadyVerified" {
		w.failf("nobody's address is verified already")
	}
	w.finish(c, "VerifyEmail", signedIn, err)
}

func (w *world) resendVerification() {
	e := w.drawHandle("emailAddressId", kindEmailAddress)
	w.mayFail(w.drawFault())
	sent, err := w.service.ResendVerification(w.t.Context(), clerksvc.Client{}, e.text)
	w.ended(err, fmt.Sprintf("ResendVerification(%s)", e.name),
		"AlreadyVerified", "VerificationExpired", "InvalidInput", "RateLimited", "ServiceUnavailable")
	m := w.settle(claim{}, err == nil)
	if err == nil {
		w.hand(handle{text: sent.VerificationID, kind: kindVerification, account: e.account, code: m.mail, expires: sent.ExpiresAt})
	}
}

func (w *world) signIn() {
	address := drawn(w, "address", []string{ada, ada, bob}, addresses())
	a := w.holder(address)
	var known []string
	if a != nil {
		known = []string{a.password}
	}
	password := drawn(w, "password", known, passwords())
	none := &handle{name: "no device"}
	devices := append(w.some(func(h *handle) bool { return h.kind == kindDevice }), none)
	device := drawn(w, "deviceToken", devices, w.handles)

	var c claim
	if c.needAccount(a) {
		need(&c.first, password == a.password, "the password")
		need(&c.first, a.Verified, "a verified address")
		need(&c.rest, !a.barred(), "leave to sign in")
		need(&c.rest, !a.TOTPEnabled, "the second factor")
		known := device.kind == kindDevice && device.account == a && device.passwordAt.Equal(a.PasswordUpdatedAt) &&
			w.now().Before(device.expires) && len(device.missing) == 0
		need(&c.rest, known || a.TOTPEnabled || !w.newDevices, "a known device, or a code that was mailed")
	}
	w.mayFail(w.drawFault())
	signedIn, err := w.service.SignIn(w.t.Context(), clerksvc.SignInInput{
		Email: address, Password: secret.New(password), DeviceToken: secret.New(device.text),
	})
	w.ended(err, fmt.Sprintf("SignIn(%s, %q, %s)", address, password, device.name),
		signInMembers("InvalidCredentials", "EmailNotVerified")...)
	m := w.finish(c, "SignIn", signedIn, err)
	var unverified *clerksvc.EmailNotVerifiedError
	if errors.As(err, &unverified) {
		w.handEmailAddress(a, unverified.EmailAddressID, password)
		if unverified.Sent != nil {
			w.hand(handle{
				text: unverified.Sent.VerificationID, kind: kindVerification, account: a, code: m.mail, expires: unverified.Sent.ExpiresAt,
			})
		}
	}
}

func (w *world) requestPasswordReset() {
	address := drawn(w, "address", []string{ada, bob}, addresses())
	w.mayFail(w.drawFault())
	text, err := w.service.RequestPasswordReset(w.t.Context(), clerksvc.Client{}, address)
	w.ended(err, fmt.Sprintf("RequestPasswordReset(%s)", address), "InvalidInput", "RateLimited", "ServiceUnavailable")
	m := w.settle(claim{}, err == nil)
	if err != nil {
		return
	}
	h := handle{text: text, kind: kindReset, code: m.mail, expires: w.now().Add(10 * time.Minute)}
	if m.mail != nil {
		h.account = w.holder(address)
		h.passwordAt = h.account.PasswordUpdatedAt
	}
	w.hand(h)
}

func (w *world) resetPassword() {
	h := w.drawHandle("signInId", kindReset)
	entered := w.drawCode(h)
	password := drawn(w, "newPassword", newPasswords(), passwords())

	var c claim
	if c.needAccount(h.account) {
		a := h.account
		need(&c.first, h.kind == kindReset && w.now().Before(h.expires), "a reset that holds")
		c.first = append(c.first, h.missing...)
		if h.proved {
			// A code that was accepted sets the password once. Whoever knows it may go on where an answer was lost.
			need(&c.first, h.passwordAt.Equal(a.PasswordUpdatedAt) || a.password == password, "a reset that is not used up")
		} else {
			c.code = w.rightCode(h, entered)
			need(&c.first, c.code != nil, "the code that was mailed")
		}
		if len(c.first) == 0 {
			c.newPassword = password
			c.ends = func(s clerkemu.Session) bool { return s.UserID == a.ID }
		}
		need(&c.rest, !a.barred(), "leave to sign in")
		need(&c.rest, !a.TOTPEnabled, "the second factor")
	}
	w.mayFail(w.drawFault())
	signedIn, err := w.service.ResetPassword(w.t.Context(), clerksvc.ResetPasswordInput{
		SignInID: h.text, Code: secret.New(entered), NewPassword: secret.New(password),
	})
	w.ended(err, fmt.Sprintf("ResetPassword(%s, %s, %q)", h.name, w.codeName(entered), password),
		signInMembers("InvalidCode", "VerificationExpired", "PasswordRejected")...)
	w.finish(c, "ResetPassword", signedIn, err)

	resumed := handle{text: resumeWith(err), kind: kindReset, account: h.account, proved: true, missing: c.first}
	if resumed.text == "" || resumed.text == h.text { // refused before the code was tried
		return
	}
	resumed.passwordAt, resumed.expires = h.passwordAt, h.expires
	if errors.As(err, new(*clerksvc.PasswordRejectedError)) && h.account != nil {
		resumed.passwordAt = h.account.PasswordUpdatedAt
	}
	if !h.proved {
		resumed.expires = w.now().Add(10 * time.Minute)
	}
	if c.code != nil {
		c.code.used = true
	}
	w.hand(resumed)
}

func allSteps() []clerksvc.SecondFactor {
	return []clerksvc.SecondFactor{clerksvc.SecondFactorTOTP, clerksvc.SecondFactorBackupCode, clerksvc.SecondFactorEmailCode}
}

func (w *world) prepareSecondFactor() {
	byMail := w.some(func(h *handle) bool { return h.kind == kindSecondFactor && h.byMail })
	h := w.drawOwned("signInId", byMail)
	step := drawn(w, "strategy", allSteps()[2:], allSteps())
	w.mayFail(w.drawFault())
	prepared, err := w.service.PrepareSecondFactor(w.t.Context(), clerksvc.Client{}, h.text, step)
	w.ended(err, fmt.Sprintf("PrepareSecondFactor(%s, %s)", h.name, step),
		"VerificationExpired", "InvalidInput", "RateLimited", "ServiceUnavailable")
	m := w.settle(claim{}, err == nil)
	if err != nil {
		return
	}
	next := *h
	next.text, next.code = prepared.SignInID, m.mail
	if h.kind != kindSecondFactor { // nobody was to get one for it
		next.kind, next.missing = kindSecondFactor, append(slices.Clone(h.missing), "a sign-in, but with a "+string(h.kind))
	}
	w.hand(next)
}

func (w *world) attemptSecondFactor() {
	h := w.drawOwned("signInId", w.some(func(h *handle) bool { return h.kind == kindSecondFactor && (h.code != nil || !h.byMail) }))
	fitting := allSteps()[:2]
	if h.byMail || h.kind == kindReset {
		fitting = allSteps()[2:]
	}
	step := drawn(w, "strategy", fitting, allSteps())
	entered := w.drawSecondFactor(h, step)

	var c claim
	var factor []string
	if c.needAccount(h.account) {
		a := h.account
		need(&c.first, h.kind == kindSecondFactor && w.now().Before(h.expires), "a sign-in that holds")
		need(&c.first, h.signIn == nil || h.signIn.sessions == 0, "a sign-in that is not used up")
		c.first, c.signIn = append(c.first, h.missing...), h.signIn
		if byMail := step == clerksvc.SecondFactorEmailCode; byMail {
			c.code = w.rightCode(h, entered)
			need(&factor, h.byMail && (h.proved || c.code != nil), "the code that was mailed")
			need(&c.rest, !a.TOTPEnabled, "the second factor")
		} else {
			c.secondFactor = !h.byMail && (h.proved || w.rightSecondFactor(a, entered))
			need(&factor, c.secondFactor, "the second factor")
			c.entered = entered
		}
		// Documented: an account that was looked at less than 30 seconds ago is not looked at again, unless by mail.
		seen := step != clerksvc.SecondFactorEmailCode && !h.proved && w.now().Before(h.lookedAt.Add(30*time.Second))
		need(&c.rest, seen || !a.barred(), "leave to sign in")
		need(&c.first, seen && oldPasswordFinishes || h.passwordAt.Equal(a.PasswordUpdatedAt), "the password, which has changed since")
		c.first = append(c.first, factor...)
	}
	w.mayFail(w.drawFault())
	signedIn, err := w.service.AttemptSecondFactor(w.t.Context(), clerksvc.AttemptSecondFactorInput{
		SignInID: h.text, Strategy: step, Code: secret.New(entered),
	})
	w.ended(err, fmt.Sprintf("AttemptSecondFactor(%s, %s, %s)", h.name, step, w.codeName(entered)),
		signInMembers("InvalidCode", "VerificationExpired")...)
	w.finish(c, "AttemptSecondFactor "+string(step), signedIn, err)
	if resumed := *h; resumeWith(err) != "" {
		resumed.text, resumed.proved = resumeWith(err), true
		resumed.missing = append(slices.Clone(h.missing), factor...)
		if c.code != nil {
			c.code.used = true
		}
		w.hand(resumed)
	}
}
