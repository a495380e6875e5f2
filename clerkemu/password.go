package clerkemu

import (
	"context"
	_ "embed"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// The password policy: Clerk's default, without the strength estimate.
const (
	minPasswordLength = 8
	maxPasswordLength = 72
	maxPasswordBytes  = 72 // what bcrypt can take
)

// leakedPasswords stands in for the list of breached passwords that Clerk
// asks about, one a line, in lower case.
//
//go:embed leaked_passwords.txt
var leakedPasswords string

func isLeaked(password string) bool {
	for line := range strings.Lines(leakedPasswords) {
		if strings.EqualFold(strings.TrimSpace(line), password) {
			return true
		}
	}
	return false
}

// passwordProblems lists everything that the policy has against a password.
// The one rule that cannot be skipped is what bcrypt can take.
func passwordProblems(password string, addresses []string, skipChecks bool) []errorItem {
	const param = "password"
	length := utf8.RuneCountInString(password)
	var problems []errorItem
	add := func(code, text string) { problems = append(problems, paramProblem(param, code, text, text)) }

	if strings.TrimSpace(password) == "" {
		return []errorItem{problemNil(param)}
	}
	if len(password) > maxPasswordBytes && (skipChecks || length <= maxPasswordLength) {
		add("form_password_size_in_bytes_exceeded", "Passwords must not exceed "+strconv.Itoa(maxPasswordBytes)+" bytes.")
	}
	if skipChecks {
		return problems
	}
	if length < minPasswordLength {
		add("form_password_length_too_short", "Passwords must be "+strconv.Itoa(minPasswordLength)+" characters or more.")
	}
	if length > maxPasswordLength {
		add("form_password_length_too_long", "Passwords must be "+strconv.Itoa(maxPasswordLength)+" characters or fewer.")
	}
	if isLeaked(password) {
		add("form_password_pwned", "This password is on a list of leaked passwords. Please choose another.")
	}
	for _, address := range addresses {
		if strings.EqualFold(strings.TrimSpace(password), address) {
			add("form_password_matches_identifier", "The password must differ from your email address.")
			break
		}
	}
	return problems
}

// hashPassword is slow on purpose: call it without holding the store.
func (s *Server) hashPassword(ctx context.Context, password string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return bcrypt.GenerateFromPassword([]byte(password), s.opts.BcryptCost)
}

// verifyPassword is VerifyPassword, POST /users/{user_id}/verify_password.
// That it neither counts attempts nor refuses banned and locked users is
// inferred [I].
func (s *Server) verifyPassword(r *request) (any, error) {
	r.params.only("password")
	password := r.params.required("password")
	if err := r.params.err(); err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	u, err := s.store.user(r.id)
	var hash []byte
	if err == nil {
		hash = u.passwordHash
	}
	s.store.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if hash == nil {
		return nil, newError(http.StatusBadRequest, "no_password_set", "No password set",
			"This user has no password set for their account.")
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	matches := bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil
	// bcrypt compares the first 72 bytes only.
	if !matches || len(password) > maxPasswordBytes {
		return nil, newError(http.StatusUnprocessableEntity, "incorrect_password", "Incorrect password",
			"The provided password is not the one the user has set.")
	}
	return struct {
		Verified bool `json:"verified"`
	}{true}, nil
}
