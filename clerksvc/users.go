package clerksvc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/user"

	"clerkql/internal/secret"
)

// User is the part of Clerk's user (schema User) that the flows read. A user object takes kilobytes, of which the SDK's clerk.User
// reads all: metadata, images, linked accounts.
type User struct {
	clerk.APIResource
	ID                    string                `json:"id"`
	Username              *string               `json:"username"`
	FirstName             *string               `json:"first_name"`
	LastName              *string               `json:"last_name"`
	EmailAddresses        []*clerk.EmailAddress `json:"email_addresses"`
	ExternalID            *string               `json:"external_id"`
	PasswordLastUpdatedAt *int64                `json:"password_last_updated_at"` // in Unix milliseconds
	LastSignInAt          *int64                `json:"last_sign_in_at"`          // in Unix milliseconds
	PrivateMetadata       json.RawMessage       `json:"private_metadata"`

	TwoFactorEnabled  bool `json:"two_factor_enabled"`
	TOTPEnabled       bool `json:"totp_enabled"`
	BackupCodeEnabled bool `json:"backup_code_enabled"`

	Banned                  bool   `json:"banned"`
	Locked                  bool   `json:"locked"`
	LockoutExpiresInSeconds *int64 `json:"lockout_expires_in_seconds"`
	// Deprovisioned: a directory took the account away, and it may not sign in. The SDK does not know it.
	Deprovisioned bool `json:"deprovisioned"`

	// What else a user can be known by is counted and not read.
	PhoneNumbers     []struct{} `json:"phone_numbers"`
	Web3Wallets      []struct{} `json:"web3_wallets"`
	ExternalAccounts []struct{} `json:"external_accounts"`
	SAMLAccounts     []struct{} `json:"saml_accounts"`
}

// Address returns the user's e-mail address that reads like this one, letter case aside, or nil.
func (u *User) Address(emailAddress string) *clerk.EmailAddress {
	for _, address := range u.EmailAddresses {
		if strings.EqualFold(address.EmailAddress, emailAddress) {
			return address
		}
	}
	return nil
}

// AddressByID returns the user's e-mail address with this id, or nil.
func (u *User) AddressByID(id string) *clerk.EmailAddress {
	for _, address := range u.EmailAddresses {
		if address.ID == id {
			return address
		}
	}
	return nil
}

// passwordUpdatedAt returns when the user's password was set, in Unix milliseconds; 0 of a user without one.
func passwordUpdatedAt(u *User) int64 {
	if u.PasswordLastUpdatedAt == nil {
		return 0
	}
	return *u.PasswordLastUpdatedAt
}

// samePassword reports whether the user's password is the one that was set at a time, in Unix milliseconds. The times may be a
// millisecond apart: Clerk may tell one as it sets a password, and another once it has rounded and stored it.
func samePassword(u *User, updatedAt int64) bool {
	apart := passwordUpdatedAt(u) - updatedAt
	return -1 <= apart && apart <= 1
}

// hasOneIdentifier reports whether the user has a single e-mail address and nothing else to be known by.
func (u *User) hasOneIdentifier() bool {
	return len(u.EmailAddresses) == 1 && u.Username == nil && len(u.PhoneNumbers) == 0 &&
		len(u.ExternalAccounts) == 0 && len(u.SAMLAccounts) == 0 && len(u.Web3Wallets) == 0
}

// verified reports whether Clerk says that an address is verified. An address without a verification is not:
// that is how a reserved one looks before its first code.
func verified(address *clerk.EmailAddress) bool {
	return address != nil && address.Verification != nil && address.Verification.Status == "verified"
}

// CreateUserParams are the parameters of CreateUser that this project uses.
type CreateUserParams struct {
	user.CreateParams
	// EmailAddressStatus runs parallel to EmailAddresses: "reserved" or "verified" for each. Clerk marks every
	// address verified without it.
	EmailAddressStatus []string `json:"email_address_identification_status,omitempty"`
}

// CreateUser creates a user. Spec: CreateUser, POST /users. Not idempotent: after an uncertain failure, look
// for the user before trying again.
func (a *API) CreateUser(ctx context.Context, params *CreateUserParams) (*User, error) {
	return a.user(ctx, "CreateUser", http.MethodPost, "/users", params)
}

// GetUser returns a user by id. Spec: GetUser, GET /users/{user_id}.
func (a *API) GetUser(ctx context.Context, id string) (*User, error) {
	if err := checkID("GetUser", id); err != nil {
		return nil, err
	}
	return a.user(ctx, "GetUser", http.MethodGet, "/users/"+id, nil)
}

// FindUserByEmailAddress returns the user whom an address identifies, or nil when it identifies nobody: who verified it, or
// else who reserved it or has nothing else to sign in with. An address that was merely added to an account identifies nobody,
// as that account is somebody else's than the one who reads its mail. Spec: GetUserList,
// GET /users?email_address=. One call, where the SDK's user.List makes two (it counts as well).
func (a *API) FindUserByEmailAddress(ctx context.Context, emailAddress string) (*User, error) {
	var found userList
	params := &userQuery{EmailAddress: emailAddress}
	if err := a.call(ctx, "GetUserList", http.MethodGet, "/users", params, &found); err != nil {
		return nil, err
	}
	var candidate *User
	for i := range found {
		user := &found[i]
		address := user.Address(emailAddress)
		if verified(address) {
			return user, nil
		}
		if address != nil && (address.Reserved || candidate == nil && user.hasOneIdentifier()) {
			candidate = user
		}
	}
	return candidate, nil
}

type userQuery struct {
	clerk.APIParams
	EmailAddress string
}

// ToQuery implements [clerk.Params].
func (q *userQuery) ToQuery() url.Values {
	return url.Values{"email_address": {q.EmailAddress}, "limit": {"500"}}
}

// userList is what GetUserList answers: a bare array.
type userList []User

// Read implements [clerk.ResponseReader].
func (*userList) Read(*clerk.APIResponse) {}

// UpdateUser changes a user's attributes. Spec: UpdateUser, PATCH /users/{user_id}.
func (a *API) UpdateUser(ctx context.Context, id string, params *user.UpdateParams) (*User, error) {
	if err := checkID("UpdateUser", id); err != nil {
		return nil, err
	}
	return a.user(ctx, "UpdateUser", http.MethodPatch, "/users/"+id, params)
}

// EnableTOTP gives a user a second factor with a TOTP secret, in base32. One call: UpdateUser.
func (a *API) EnableTOTP(ctx context.Context, id string, seed secret.String) error {
	_, err := a.UpdateUser(ctx, id, &user.UpdateParams{TOTPSecret: clerk.String(seed.Reveal())})
	return err
}

// user makes a call that is answered with a user. An answer that names none is no user who is not banned.
func (a *API) user(ctx context.Context, operation, method, path string, params clerk.Params) (*User, error) {
	answered := &User{}
	if err := a.call(ctx, operation, method, path, params, answered); err != nil {
		return nil, err
	}
	if answered.ID == "" {
		return nil, &ClerkError{Operation: operation, Status: http.StatusOK, cause: errUnreadable}
	}
	return answered, nil
}

// DeleteUser deletes a user and frees its addresses. Spec: DeleteUser, DELETE /users/{user_id}.
func (a *API) DeleteUser(ctx context.Context, id string) error {
	if err := checkID("DeleteUser", id); err != nil {
		return err
	}
	return a.call(ctx, "DeleteUser", http.MethodDelete, "/users/"+id, nil, &clerk.DeletedResource{})
}

// VerifyPassword returns nil if the password is the user's. A wrong one is the code incorrect_password, a user
// without one no_password_set. Clerk neither counts wrong passwords here nor refuses locked users.
// Spec: VerifyPassword, POST /users/{user_id}/verify_password.
func (a *API) VerifyPassword(ctx context.Context, id string, password secret.String) error {
	if err := checkID("VerifyPassword", id); err != nil {
		return err
	}
	answer := &user.VerifyPasswordResponse{}
	params := &user.VerifyPasswordParams{Password: password.Reveal()}
	if err := a.call(ctx, "VerifyPassword", http.MethodPost, "/users/"+id+"/verify_password", params, answer); err != nil {
		return err
	}
	if !answer.Verified {
		return &ClerkError{Operation: "VerifyPassword", Status: http.StatusOK, cause: errUnreadable}
	}
	return nil
}

type verifyTOTPParams struct {
	clerk.APIParams
	Code string `json:"code"`
}

type totpAnswer struct {
	clerk.APIResource
	Verified bool `json:"verified"`
}

// VerifyTOTP returns nil if the code is right: one from an authenticator app, or a backup code, which it uses up. A wrong one is the
// code totp_incorrect_code. Spec: VerifyTOTP, POST /users/{user_id}/verify_totp.
func (a *API) VerifyTOTP(ctx context.Context, id string, code secret.String) error {
	if err := checkID("VerifyTOTP", id); err != nil {
		return err
	}
	answer := &totpAnswer{}
	params := &verifyTOTPParams{Code: code.Reveal()}
	if err := a.call(ctx, "VerifyTOTP", http.MethodPost, "/users/"+id+"/verify_totp", params, answer); err != nil {
		return err
	}
	if !answer.Verified {
		return &ClerkError{Operation: "VerifyTOTP", Status: http.StatusOK, cause: errUnreadable}
	}
	return nil
}
