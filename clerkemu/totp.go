package clerkemu

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/bcrypt"
)

// The TOTP that Clerk documents: SHA-1, six digits, 30 seconds. One step of
// clock skew is allowed [I].
const (
	totpDigits = 6
	totpPeriod = 30
	totpSkew   = 1
)

// maxDigestCost bounds the work that a backup code digest may ask for.
const maxDigestCost = 14

// readSecondFactor reads totp_secret and backup_codes.
func readSecondFactor(p *params) (secret *string, codes []string) {
	if secret = p.str("totp_secret"); secret != nil && !validTOTPSecret(*secret) {
		p.note(errorItem{
			Code: "invalid_totp_secret_code", Message: "Invalid TOTP secret",
			LongMessage: "The TOTP secret must be base32 text.",
		})
	}
	codes = p.strings("backup_codes", maxBackupCodes)
	for _, code := range codes {
		if strings.TrimSpace(code) == "" {
			p.note(problemNil("backup_codes"))
		}
		if cost, err := bcrypt.Cost([]byte(code)); err == nil && cost > maxDigestCost {
			p.note(problemValue("backup_codes", "A backup code digest is too costly to check."))
		}
	}
	return secret, codes
}

func validTOTPSecret(secret string) bool {
	if strings.TrimSpace(secret) == "" {
		return false
	}
	_, err := totp.GenerateCode(secret, time.Unix(0, 0))
	return err == nil
}

func (u *user) enableTOTP(secret string, now time.Time) {
	u.totpSecret = secret
	u.mfaEnabledAt = now
}

// verifyTOTP is VerifyTOTP, POST /users/{user_id}/verify_totp. The code is a
// TOTP or a backup code; a backup code is used up. That a TOTP may be used
// twice within its window is inferred [I].
func (s *Server) verifyTOTP(r *request) (any, error) {
	r.params.only("code")
	code := r.params.required("code")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	u, err := s.store.user(r.id)
	var secret string
	var backupCodes []string
	if err == nil {
		secret, backupCodes = u.totpSecret, u.backupCodes
	}
	s.store.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, newError(http.StatusBadRequest, "totp_disabled", "TOTP disabled", "TOTP is not enabled for this user.")
	}
	if isTOTPCode(code) {
		if !validTOTP(code, secret, s.clock.Now()) {
			return nil, errTOTPIncorrect()
		}
		return totpBody{Verified: true, CodeType: "totp"}, nil
	}
	stored, ok := matchBackupCode(code, backupCodes)
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if ok && s.useBackupCode(r.id, stored) {
		return totpBody{Verified: true, CodeType: "backup_code"}, nil
	}
	if len(code) != totpDigits {
		return nil, newError(http.StatusUnprocessableEntity, "totp_invalid_length", "Invalid length",
			"The code must have six digits.")
	}
	return nil, errTOTPIncorrect()
}

type totpBody struct {
	Verified bool   `json:"verified"`
	CodeType string `json:"code_type"`
}

func errTOTPIncorrect() *apiError {
	return newError(http.StatusUnprocessableEntity, "totp_incorrect_code", "Incorrect code", "The provided code is incorrect.")
}

func isTOTPCode(code string) bool {
	return len(code) == totpDigits && !strings.ContainsFunc(code, func(r rune) bool { return r < '0' || r > '9' })
}

func validTOTP(code, secret string, now time.Time) bool {
	ok, err := totp.ValidateCustom(code, secret, now.UTC(), totp.ValidateOpts{
		Period: totpPeriod, Skew: totpSkew, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	return err == nil && ok
}

// TOTPCode is the code that the authenticator app of a user shows now. It
// fails when there is no such user, or the user has no TOTP.
func (s *Server) TOTPCode(userID string) (string, error) {
	s.store.mu.Lock()
	var secret string
	if u := s.store.users[userID]; u != nil {
		secret = u.totpSecret
	}
	s.store.mu.Unlock()
	if secret == "" {
		return "", fmt.Errorf("clerkemu: there is no user %q with TOTP", userID)
	}
	return totp.GenerateCode(secret, s.clock.Now())
}

// matchBackupCode finds the stored code, plain or a bcrypt digest, that the
// given one matches. It looks at all of them, wherever the match is.
func matchBackupCode(code string, stored []string) (match string, ok bool) {
	for _, candidate := range stored {
		var same bool
		if _, err := bcrypt.Cost([]byte(candidate)); err == nil {
			same = len(code) <= maxPasswordBytes && bcrypt.CompareHashAndPassword([]byte(candidate), []byte(code)) == nil
		} else {
			same = subtle.ConstantTimeCompare([]byte(candidate), []byte(code)) == 1
		}
		if same {
			match, ok = candidate, true
		}
	}
	return match, ok
}

// useBackupCode takes a code away from the user; false when someone else was
// faster.
func (s *Server) useBackupCode(userID, stored string) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u := s.store.users[userID]
	if u == nil {
		return false
	}
	i := slices.Index(u.backupCodes, stored)
	if i < 0 {
		return false
	}
	// A new slice: verifyTOTP reads the old one without the lock.
	u.backupCodes = slices.Concat(u.backupCodes[:i], u.backupCodes[i+1:])
	u.updatedAt = s.clock.Now()
	return true
}
