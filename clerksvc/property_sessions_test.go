package clerksvc_test

import (
	"fmt"
	"slices"
	"time"

	"clerkql/clerkemu"
	"clerkql/clerksvc"
	"clerkql/internal/secret"
)

func (w *world) refreshSession() {
	h := w.drawHandle("refreshToken", kindRefresh)
	w.mayFail(w.drawFault())
	refreshed, err := w.service.RefreshSession(w.t.Context(), clerksvc.Client{}, clerksvc.RefreshToken{Token: secret.New(h.text)})
	w.ended(err, fmt.Sprintf("RefreshSession(%s)", h.name), "SessionEnded", "InvalidInput", "RateLimited", "ServiceUnavailable")
	w.settle(claim{}, err == nil)
	active := h.kind == kindRefresh && w.active(h.sessionID)
	switch outcome := outcomeName(err); {
	case outcome == "ok" && (!active || refreshed.ID != h.sessionID || refreshed.UserID != h.account.ID):
		w.failf("that is no refresh token of a session that is active, and one was refreshed")
	case outcome == "ok":
		w.tally["RefreshSession: ok"]++
		w.handToken(h.account, refreshed.ID, refreshed.Token.Reveal())
	case outcome == "SessionEnded" && active:
		w.failf("%s has not ended", w.sessionName(h.sessionID))
	case outcome == "InvalidInput" && h.kind == kindRefresh:
		w.failf("that is a refresh token")
	}
}

// active reports whether a session is active, by the latest look.
func (w *world) active(sessionID string) bool {
	for _, a := range w.accounts {
		for _, s := range a.sessions {
			if s.ID == sessionID && !a.gone {
				return s.Status == "active"
			}
		}
	}
	return false
}

func (w *world) signOut() {
	h := w.drawHandle("refreshToken", kindRefresh)
	in, name, sessionID := clerksvc.SignOutInput{RefreshToken: clerksvc.RefreshToken{Token: secret.New(h.text)}}, h.name, ""
	if h.kind == kindRefresh {
		sessionID = h.sessionID
	}
	if len(w.tokens) > 0 && drawn(w, "by session token", nil, []bool{false, true}) {
		tk := drawn(w, "session token", nil, w.tokens)
		in, name, sessionID = clerksvc.SignOutInput{SessionToken: secret.New(tk.text)}, tk.name, ""
		if w.holds(tk) {
			sessionID = tk.sessionID
		}
	}
	w.mayFail(w.drawFault())
	_, err := w.service.SignOut(w.t.Context(), in)
	w.ended(err, fmt.Sprintf("SignOut(%s)", name), "NotSignedIn", "InvalidInput", "RateLimited", "ServiceUnavailable")
	w.settle(claim{ends: func(s clerkemu.Session) bool { return s.ID == sessionID }}, err == nil)
	if err == nil && (sessionID == "" || w.active(sessionID)) {
		w.failf("somebody was told to be signed out and is not")
	}
	if err == nil {
		w.tally["SignOut: ok"]++
	}
}

// holds reports whether a session token is good. They are let live 5 seconds longer, as clocks differ.
func (w *world) holds(tk *token) bool { return !w.now().After(tk.expires.Add(5 * time.Second)) }

func (w *world) signOutEverywhere() {
	tk, viewer := w.drawViewer()
	w.mayFail(w.drawFault())
	_, err := w.service.SignOutEverywhere(w.t.Context(), clerksvc.Client{}, secret.New(tk.text))
	w.ended(err, fmt.Sprintf("SignOutEverywhere(%s)", tk.name), "NotSignedIn", "RateLimited", "ServiceUnavailable")
	w.settle(claim{ends: func(s clerkemu.Session) bool { return viewer != nil && s.UserID == viewer.ID }}, err == nil)
	if err != nil {
		return
	}
	w.tally["SignOutEverywhere: ok"]++
	if viewer == nil || len(activeSessions(viewer)) > 0 {
		w.failf("somebody was told to be signed out everywhere and is not")
	}
}

func activeSessions(a *account) []string {
	var ids []string
	for _, s := range a.sessions {
		if s.Status == "active" {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (w *world) revokeSession() {
	tk, viewer := w.drawViewer()
	var active []*session
	for _, s := range w.sessions {
		if w.active(s.id) {
			active = append(active, s)
		}
	}
	s := drawn(w, "sessionId", active, w.sessions)
	w.mayFail(w.drawFault())
	err := w.service.RevokeSession(w.t.Context(), clerksvc.Client{}, secret.New(tk.text), s.id)
	w.ended(err, fmt.Sprintf("RevokeSession(%s, %s)", tk.name, s.name),
		"SessionNotFound", "NotSignedIn", "InvalidInput", "RateLimited", "ServiceUnavailable")
	w.settle(claim{ends: func(ended clerkemu.Session) bool {
		return viewer != nil && ended.UserID == viewer.ID && ended.ID == s.id
	}}, err == nil)
	if err == nil && (viewer == nil || w.active(s.id)) {
		w.failf("%s was told to be ended and is not, or by nobody", s.name)
	}
	if err == nil {
		w.tally["RevokeSession: ok"]++
	}
}

func (w *world) listSessions() {
	tk, viewer := w.drawViewer()
	w.mayFail(w.drawFault())
	listed, err := w.service.Sessions(w.t.Context(), clerksvc.Client{}, secret.New(tk.text))
	w.ended(err, fmt.Sprintf("Sessions(%s)", tk.name), "NotSignedIn", "RateLimited", "ServiceUnavailable")
	w.settle(claim{}, err == nil)
	if err != nil {
		return
	}
	w.tally["Sessions: ok"]++
	var ids, own []string
	for _, s := range listed {
		ids = append(ids, s.ID)
	}
	if viewer != nil {
		own = activeSessions(viewer)
	}
	slices.Sort(ids)
	slices.Sort(own)
	if viewer == nil || !slices.Equal(ids, own) {
		w.failf("these are not the viewer's own active sessions")
	}
}
