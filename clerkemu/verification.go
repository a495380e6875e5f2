package clerkemu

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"
)

// States of a verification.
const (
	verificationUnverified = "unverified"
	verificationVerified   = "verified"
	verificationExpired    = "expired"
	verificationFailed     = "failed"
)

// testCode is the code of test addresses.
const testCode = "424242"

const strategyEmailCode = "email_code"

// verification is one mailed code and what became of it. Verifications of one
// address are independent: a new one does not end an older one [I].
type verification struct {
	id       string
	code     string
	status   string // verificationExpired only once it was noticed
	attempts int
	expireAt time.Time
}

// statusAt is the state at a moment. "verified" and "failed" stay.
func (v *verification) statusAt(now time.Time) string {
	if v.status == verificationUnverified && !now.Before(v.expireAt) {
		return verificationExpired
	}
	return v.status
}

// attempt tries a code on a verification that is still open.
func (v *verification) attempt(code string, allowed int) {
	v.attempts++
	if subtle.ConstantTimeCompare([]byte(code), []byte(v.code)) == 1 {
		v.status = verificationVerified
	} else if v.attempts >= allowed {
		v.status = verificationFailed
	}
}

// verificationBody is the answer of both operations.
type verificationBody struct {
	Object   string  `json:"object"`
	ID       string  `json:"id"`
	Status   string  `json:"status"`
	Strategy string  `json:"strategy"`
	Attempts *int    `json:"attempts"`
	ExpireAt int64   `json:"expire_at"`
	Channel  *string `json:"channel"`
}

func newVerificationBody(v *verification, now time.Time) verificationBody {
	attempts := v.attempts
	return verificationBody{
		Object: "verification", ID: v.id, Status: v.statusAt(now), Strategy: strategyEmailCode,
		Attempts: &attempts, ExpireAt: v.expireAt.UnixMilli(),
	}
}

// prepareVerification is PrepareEmailAddressVerification, POST
// /email_addresses/{email_address_id}/prepare_verification. It mails a code,
// to a verified address too.
func (s *Server) prepareVerification(r *request) (any, error) {
	code, err := newCode()
	if err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	e, err := s.store.email(r.id)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	if wait := e.lastCodeAt.Add(s.opts.ResendInterval).Sub(now); wait > 0 && !e.lastCodeAccepted() {
		return nil, errCodeTooSoon(wait)
	}
	silent := *s.opts.TestMode && isTestAddress(e.address)
	if silent {
		code = testCode
	}
	v := &verification{
		id: newID(prefixVerification), code: code, status: verificationUnverified, expireAt: now.Add(s.opts.CodeLife),
	}
	e.lastCodeAt = now
	e.verifications = append(e.verifications, v)
	if len(e.verifications) > maxVerificationsPerAddress {
		e.verifications = slices.Delete(e.verifications, 0, 1)
	}
	if !silent {
		s.mail.add(Message{To: e.address, Subject: code + " is your verification code", Code: code, SentAt: now})
	}
	return newVerificationBody(v, now), nil
}

// attemptVerification is AttemptEmailAddressVerification, POST
// /email_addresses/{email_address_id}/attempt_verification. It answers 200
// whether or not the code is right: the status tells. It never makes a
// session.
func (s *Server) attemptVerification(r *request) (any, error) {
	r.params.only("verification_id", "code")
	verificationID, code := r.params.required("verification_id"), r.params.required("code")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	e, err := s.store.email(r.id)
	if err != nil {
		return nil, err
	}
	v := e.verificationByID(verificationID)
	if v == nil {
		return nil, errNotFound("No verification was found with id " + clip(verificationID))
	}
	now := s.clock.Now()
	switch v.statusAt(now) {
	case verificationVerified:
		return nil, newError(http.StatusBadRequest, "verification_already_verified", "already verified",
			"This verification has already been verified.")
	case verificationExpired:
		v.status = verificationExpired
		return newVerificationBody(v, now), nil
	case verificationFailed:
		return newVerificationBody(v, now), nil
	}
	if !e.claims() && s.store.addressFree(e) != nil {
		return nil, errIdentificationClaimed()
	}
	v.attempt(code, s.opts.CodeAttempts)
	if v.status == verificationVerified && !e.verified() {
		attempts, expireAt := v.attempts, v.expireAt.UnixMilli()
		s.store.markVerified(e, &addressVerification{
			object: "verification_otp", strategy: strategyEmailCode, attempts: &attempts, expireAt: &expireAt,
		})
		e.updatedAt, e.owner.updatedAt = now, now
	}
	return newVerificationBody(v, now), nil
}

// lastCodeAccepted tells whether the code that was sent last has done its work.
// Nobody waits for it any more, so another may follow at once [I].
func (e *emailAddress) lastCodeAccepted() bool {
	last := len(e.verifications) - 1
	return last >= 0 && e.verifications[last].status == verificationVerified
}

// newCode draws six digits.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%06d", n), nil
}

// errCodeTooSoon is the answer to a second code within ResendInterval.
func errCodeTooSoon(wait time.Duration) *apiError {
	e := newError(http.StatusTooManyRequests, "verification_code_too_many_requests", "Too many requests",
		fmt.Sprintf("Please wait at least %d seconds before asking for another code.", wholeSeconds(wait)))
	e.retryAfter = wait
	return e
}
