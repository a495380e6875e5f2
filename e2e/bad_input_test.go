package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// fieldProblem formats an InvalidInput's fields as "name:REASON name:REASON".
func fieldProblems(result member) string {
	var problems []string
	fields, _ := result["fields"].([]any)
	for _, field := range fields {
		f, _ := field.(map[string]any)
		problems = append(problems, fmt.Sprintf("%v:%v", f["name"], f["reason"]))
	}
	return strings.Join(problems, " ")
}

// violations formats a PasswordRejected's violations as "RULE RULE".
func violations(result member) string {
	var rules []string
	list, _ := result["violations"].([]any)
	for _, violation := range list {
		v, _ := violation.(map[string]any)
		rules = append(rules, fmt.Sprint(v["rule"]))
	}
	return strings.Join(rules, " ")
}

// TestBadFields has what is refused before Clerk is asked: every row must make no call.
func TestBadFields(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--password-forbidden-words=clerkql,Coyote")
	long := strings.Repeat("x", 10_000)
	verification := a.signUp(t, clerk, "table@example.com", password)
	addressID, verificationID := verification["emailAddressId"], verification["verificationId"]
	resetID := a.want(t, "PasswordResetSent", "requestPasswordReset", map[string]any{"email": "table@example.com"})["signInId"]

	for _, row := range []struct {
		name     string
		mutation string
		input    map[string]any
		want     string // typename and what it tells
	}{
		{"empty address", "signUp", map[string]any{"email": "", "password": password}, "InvalidInput email:REQUIRED"},
		{"blank address", "signIn", map[string]any{"email": "  ", "password": password}, "InvalidInput email:REQUIRED"},
		{"no @", "signUp", map[string]any{"email": "ada", "password": password}, "InvalidInput email:INVALID_FORMAT"},
		{"two @", "signUp", map[string]any{"email": "a@b@example.com", "password": password}, "InvalidInput email:INVALID_FORMAT"},
		{"a display name", "signUp", map[string]any{"email": "Ada <ada@example.com>", "password": password}, "InvalidInput email:INVALID_FORMAT"},
		{"two addresses", "requestPasswordReset", map[string]any{"email": "a@example.com,b@example.com"}, "InvalidInput email:INVALID_FORMAT"},
		{"a quoted local part", "requestPasswordReset", map[string]any{"email": `"a b"@example.com`}, "InvalidInput email:INVALID_FORMAT"},
		{"an address with a line feed", "requestPasswordReset", map[string]any{"email": "ada@example.com\r\nBcc: eve@example.com"}, "InvalidInput email:INVALID_CHARACTERS"},
		{"an address with a NUL", "signIn", map[string]any{"email": "ada\x00@example.com", "password": password}, "InvalidInput email:INVALID_CHARACTERS"},
		{"an oversized address", "signUp", map[string]any{"email": long + "@example.com", "password": password}, "InvalidInput email:TOO_LONG"},
		{"an oversized name", "signUp", map[string]any{"email": email, "password": password, "firstName": long}, "InvalidInput firstName:TOO_LONG"},
		{"a name with a control character", "signUp", map[string]any{"email": email, "password": password, "lastName": "Love\x07lace"}, "InvalidInput lastName:INVALID_CHARACTERS"},
		{"several fields", "signUp", map[string]any{"email": "ada", "password": "", "firstName": long}, "InvalidInput email:INVALID_FORMAT firstName:TOO_LONG password:REQUIRED"},
		{"no password", "signIn", map[string]any{"email": email, "password": ""}, "InvalidInput password:REQUIRED"},
		{"a password of 10 000 bytes to sign in", "signIn", map[string]any{"email": email, "password": long}, "InvalidInput password:TOO_LONG"},
		{"a password of 10 000 bytes to sign up", "signUp", map[string]any{"email": email, "password": long}, "PasswordRejected MAX_LENGTH MAX_BYTES STRENGTH"},
		{"a password of 7 characters", "signUp", map[string]any{"email": email, "password": "wire.70"}, "PasswordRejected MIN_LENGTH"},
		{"a password of 30 characters and 90 bytes", "signUp", map[string]any{"email": email, "password": strings.Repeat("密", 30)}, "PasswordRejected MAX_BYTES"},
		{"a password that is the address", "signUp", map[string]any{"email": email, "password": "ADA@example.com"}, "PasswordRejected NOT_IDENTIFIER"},
		{"a password with the address in it", "signUp", map[string]any{"email": email, "password": "engine of ada@EXAMPLE.com"}, "PasswordRejected NOT_IDENTIFIER"},
		{"a password with the local part in it", "signUp", map[string]any{"email": "lovelace@example.com", "password": "Lovelace's engine"}, "PasswordRejected NOT_IDENTIFIER"},
		{"a password with the first name in it", "signUp", map[string]any{"email": email, "password": "engine of augusta", "firstName": " Augusta Ada "}, "PasswordRejected NOT_IDENTIFIER"},
		{"a password with the last name in it", "signUp", map[string]any{"email": email, "password": "lovelace's engine", "lastName": "Lovelace"}, "PasswordRejected NOT_IDENTIFIER"},
		{"a password with a forbidden word in it", "signUp", map[string]any{"email": email, "password": "engine of ClerkQL"}, "PasswordRejected FORBIDDEN_WORD"},
		{"a password that is easy to guess", "signUp", map[string]any{"email": email, "password": "password1"}, "PasswordRejected STRENGTH"},
		{"a password that breaks four rules", "signUp", map[string]any{"email": email, "password": "coyote1", "firstName": "Coyote"}, "PasswordRejected MIN_LENGTH STRENGTH FORBIDDEN_WORD NOT_IDENTIFIER"},
		{"a password with a control character", "signUp", map[string]any{"email": email, "password": "difference\x00engine"}, "InvalidInput password:INVALID_CHARACTERS"},
		{"no code", "verifyEmail", map[string]any{"emailAddressId": addressID, "verificationId": verificationID, "code": " "}, "InvalidInput code:REQUIRED"},
		{"letters for a code", "verifyEmail", map[string]any{"emailAddressId": addressID, "verificationId": verificationID, "code": "abcdef"}, "InvalidInput code:INVALID_FORMAT"},
		{"a code of five digits", "verifyEmail", map[string]any{"emailAddressId": addressID, "verificationId": verificationID, "code": "12345"}, "InvalidInput code:INVALID_FORMAT"},
		{"an oversized code", "resetPassword", map[string]any{"signInId": resetID, "code": long, "newPassword": newPassword}, "InvalidInput code:TOO_LONG"},
		{"digits that are not ASCII", "resetPassword", map[string]any{"signInId": resetID, "code": "١٢٣٤٥٦", "newPassword": newPassword}, "InvalidInput code:INVALID_FORMAT"},
		{"a new password of 7 characters", "resetPassword", map[string]any{"signInId": resetID, "code": "123456", "newPassword": "wire.70"}, "PasswordRejected MIN_LENGTH"},
		{"a new password that is easy to guess", "resetPassword", map[string]any{"signInId": resetID, "code": "123456", "newPassword": "Password1!"}, "PasswordRejected STRENGTH"},
		{"a new password with a forbidden word", "resetPassword", map[string]any{"signInId": resetID, "code": "123456", "newPassword": "the coyote engine"}, "PasswordRejected FORBIDDEN_WORD"},
		{"an empty new password", "resetPassword", map[string]any{"signInId": resetID, "code": "123456", "newPassword": ""}, "InvalidInput newPassword:REQUIRED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			clerk.ResetCalls()
			result := a.do(t, row.mutation, row.input)
			got := strings.TrimSpace(result.typename() + " " + fieldProblems(result) + violations(result))
			if got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if calls := clerk.Calls(); len(calls) > 0 {
				t.Errorf("Clerk was called: %v", calls)
			}
		})
	}
	if _, exists := clerk.UserByEmail(email); exists {
		t.Error("an account was made")
	}
}

// TestBadHandles sends every handle that is not the right one to every field that takes a handle.
func TestBadHandles(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	other := startWithKeys(t, clerk, strings.Repeat("ab", 32))
	verify := a.signUp(t, clerk, email, password)
	reset := a.reset(t, clerk, email, newPassword)
	foreign := other.signUp(t, clerk, "foreign@example.com", password)
	totpUser := withTOTP()
	totpUser.EmailAddress = "totp@example.com"
	seed(t, clerk, totpUser)
	half := attempt(a.signInHalf(t, "totp@example.com", password), "TOTP", "123456")
	checked := startAPI(t, clerk, "--new-device-check=email_code").
		want(t, "SessionCreated", "verifyEmail", a.signUp(t, clerk, "checked@example.com", password))
	// One handle of every purpose.
	handles := []any{
		verify["emailAddressId"], verify["verificationId"], reset["signInId"], half["signInId"], checked["refreshToken"], checked["deviceToken"],
	}

	altered := func(handle any) string {
		text := handle.(string)
		middle := len(text) / 2
		return text[:middle] + strings.Map(func(r rune) rune { return map[bool]rune{true: 'B', false: 'A'}[r == 'A'] }, text[middle:middle+1]) + text[middle+1:]
	}
	bad := func(right any) map[string]any {
		text := right.(string)
		list := map[string]any{
			"empty": "", "text": "let me in", "cut short": text[:len(text)-1], "longer": text + "A", "altered": altered(text),
			"a Clerk id": "idn_2abcdefghijklmnopqrstuvwxyz", "a path": "idn_1/../../users/user_1", "huge": strings.Repeat("v4.local.", 5000),
		}
		for i, handle := range handles {
			if handle != right {
				list[fmt.Sprintf("of another purpose (%d)", i+1)] = handle
			}
		}
		return list
	}
	signOut := bad(checked["refreshToken"])
	delete(signOut, "empty") // without a refresh token, a session token may do
	for _, field := range []struct {
		mutation, field string
		input           map[string]any
		bad             map[string]any
	}{
		{"verifyEmail", "emailAddressId", verify, bad(verify["emailAddressId"])},
		{"verifyEmail", "verificationId", verify, bad(verify["verificationId"])},
		{"verifyEmail", "verificationId", verify, map[string]any{"of other keys": foreign["verificationId"]}},
		{"resendVerification", "emailAddressId", map[string]any{}, bad(verify["emailAddressId"])},
		{"resetPassword", "signInId", reset, bad(reset["signInId"])},
		{"prepareSecondFactor", "signInId", map[string]any{"strategy": "EMAIL_CODE"}, bad(half["signInId"])},
		{"attemptSecondFactor", "signInId", half, bad(half["signInId"])},
		{"refreshSession", "refreshToken", map[string]any{}, bad(checked["refreshToken"])},
		{"signOut", "refreshToken", map[string]any{}, signOut},
	} {
		for name, handle := range field.bad {
			t.Run(field.mutation+" with "+field.field+" "+name, func(t *testing.T) {
				input := map[string]any{}
				for key, value := range field.input {
					input[key] = value
				}
				input[field.field] = handle
				clerk.ResetCalls()
				result := a.want(t, "InvalidInput", field.mutation, input)
				want := field.field + ":INVALID_HANDLE"
				if handle == "" && field.field == "refreshToken" { // optional, as a cookie may hold it
					want = "refreshToken:REQUIRED"
				}
				if problems := fieldProblems(result); problems != want {
					t.Errorf("fields: %s, want %s", problems, want)
				}
				if calls := clerk.Calls(); len(calls) > 0 {
					t.Errorf("Clerk was called: %v", calls)
				}
			})
		}
	}

	t.Run("the verification of another address", func(t *testing.T) {
		second := a.signUp(t, clerk, "second@example.com", password)
		input := map[string]any{"emailAddressId": verify["emailAddressId"], "verificationId": second["verificationId"], "code": second["code"]}
		if problems := fieldProblems(a.want(t, "InvalidInput", "verifyEmail", input)); problems != "verificationId:INVALID_HANDLE" {
			t.Errorf("fields: %s", problems)
		}
	})
	// After all that, the right handles still do their work.
	a.want(t, "SessionCreated", "verifyEmail", verify)
	a.want(t, "SessionCreated", "resetPassword", a.reset(t, clerk, email, newPassword))
}

func TestWrongExpiredAndReusedCodes(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)

	t.Run("wrong, until it fails for good", func(t *testing.T) {
		verify := a.signUp(t, clerk, "wrong@example.com", password)
		right := verify["code"]
		for remaining := 4; remaining >= 1; remaining-- {
			verify["code"] = wrong(right.(string))
			if got := a.want(t, "InvalidCode", "verifyEmail", verify)["attemptsRemaining"]; got != float64(remaining) {
				t.Errorf("attemptsRemaining = %v, want %d", got, remaining)
			}
		}
		a.want(t, "VerificationExpired", "verifyEmail", verify)
		verify["code"] = right
		a.want(t, "VerificationExpired", "verifyEmail", verify)

		resent := a.want(t, "VerificationSent", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
		verify["verificationId"], verify["code"] = resent["verificationId"], code(t, clerk, "wrong@example.com")
		a.want(t, "SessionCreated", "verifyEmail", verify)
	})
	t.Run("with spaces", func(t *testing.T) {
		verify := a.signUp(t, clerk, "spaces@example.com", password)
		digits := verify["code"].(string)
		verify["code"] = " " + digits[:3] + " " + digits[3:] + "\n"
		a.want(t, "SessionCreated", "verifyEmail", verify)
	})
	t.Run("expired at Clerk", func(t *testing.T) {
		verify := a.signUp(t, clerk, "expired@example.com", password)
		clerk.FastForward(11 * time.Minute)
		a.want(t, "VerificationExpired", "verifyEmail", verify)
	})
	t.Run("used twice", func(t *testing.T) {
		verify := a.signUp(t, clerk, "twice@example.com", password)
		a.want(t, "SessionCreated", "verifyEmail", verify)
		user, _ := clerk.UserByEmail("twice@example.com")
		a.want(t, "AlreadyVerified", "verifyEmail", verify)
		a.want(t, "AlreadyVerified", "resendVerification", map[string]any{"emailAddressId": verify["emailAddressId"]})
		if sessions := clerk.Sessions(user.ID); len(sessions) != 1 {
			t.Errorf("%d sessions, want the first alone", len(sessions))
		}
	})
	t.Run("of a reset", func(t *testing.T) {
		seed(t, clerk, ada())
		reset := a.reset(t, clerk, email, newPassword)
		right := reset["code"]
		reset["code"] = wrong(right.(string))
		for range 7 {
			if got := a.want(t, "InvalidCode", "resetPassword", reset)["attemptsRemaining"]; got != nil {
				t.Errorf("attemptsRemaining = %v tells that the account exists", got)
			}
		}
		reset["code"] = right
		a.want(t, "InvalidCode", "resetPassword", reset)
		reset = a.reset(t, clerk, email, newPassword)
		a.want(t, "SessionCreated", "resetPassword", reset)
		a.want(t, "InvalidCode", "resetPassword", reset)
	})
}
