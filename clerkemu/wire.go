package clerkemu

import "time"

// userBody is the schema User.
type userBody struct {
	ID                    string         `json:"id"`
	Object                string         `json:"object"`
	Username              *string        `json:"username"`
	FirstName             *string        `json:"first_name"`
	LastName              *string        `json:"last_name"`
	Locale                *string        `json:"locale"`
	HasImage              bool           `json:"has_image"`
	PrimaryEmailAddressID *string        `json:"primary_email_address_id"`
	PrimaryPhoneNumberID  *string        `json:"primary_phone_number_id"`
	PrimaryWeb3WalletID   *string        `json:"primary_web3_wallet_id"`
	PasswordEnabled       bool           `json:"password_enabled"`
	TwoFactorEnabled      bool           `json:"two_factor_enabled"`
	TOTPEnabled           bool           `json:"totp_enabled"`
	BackupCodeEnabled     bool           `json:"backup_code_enabled"`
	EmailAddresses        []emailBody    `json:"email_addresses"`
	PhoneNumbers          []struct{}     `json:"phone_numbers"`
	Web3Wallets           []struct{}     `json:"web3_wallets"`
	Passkeys              []struct{}     `json:"passkeys"`
	ExternalAccounts      []struct{}     `json:"external_accounts"`
	SAMLAccounts          []struct{}     `json:"saml_accounts"`
	EnterpriseAccounts    []struct{}     `json:"enterprise_accounts"`
	PublicMetadata        map[string]any `json:"public_metadata"`
	PrivateMetadata       map[string]any `json:"private_metadata"`
	UnsafeMetadata        map[string]any `json:"unsafe_metadata"`
	ExternalID            *string        `json:"external_id"`
	LastSignInAt          *int64         `json:"last_sign_in_at"`
	LastActiveAt          *int64         `json:"last_active_at"`
	Banned                bool           `json:"banned"`
	Locked                bool           `json:"locked"`
	Deprovisioned         bool           `json:"deprovisioned"`
	LockoutExpiresIn      *int64         `json:"lockout_expires_in_seconds"`
	AttemptsRemaining     *int64         `json:"verification_attempts_remaining"`
	PasswordLastUpdatedAt *int64         `json:"password_last_updated_at"`
	MFAEnabledAt          *int64         `json:"mfa_enabled_at"`
	MFADisabledAt         *int64         `json:"mfa_disabled_at"`
	LegalAcceptedAt       *int64         `json:"legal_accepted_at"`
	DeleteSelfEnabled     bool           `json:"delete_self_enabled"`
	CreateOrgEnabled      bool           `json:"create_organization_enabled"`
	CreateOrgLimit        *int64         `json:"create_organizations_limit"`
	BypassClientTrust     bool           `json:"bypass_client_trust"`
	CreatedAt             int64          `json:"created_at"`
	UpdatedAt             int64          `json:"updated_at"`
}

// lockoutAttempts is what Clerk allows before it locks a user. The Backend API
// does not count attempts [I], so nothing is ever subtracted from it.
const lockoutAttempts = 10

// userBody copies a user for an answer. The store must be locked.
func (s *Server) userBody(u *user) userBody {
	now := s.clock.Now()
	body := userBody{
		ID: u.id, Object: "user", ExternalID: u.externalID,
		FirstName: u.firstName, LastName: u.lastName, Locale: u.locale,
		PasswordEnabled:   u.passwordHash != nil,
		TwoFactorEnabled:  u.totpSecret != "",
		TOTPEnabled:       u.totpSecret != "",
		BackupCodeEnabled: len(u.backupCodes) > 0,
		EmailAddresses:    make([]emailBody, len(u.emails)),
		PhoneNumbers:      []struct{}{}, Web3Wallets: []struct{}{}, Passkeys: []struct{}{},
		ExternalAccounts: []struct{}{}, SAMLAccounts: []struct{}{}, EnterpriseAccounts: []struct{}{},
		PublicMetadata: u.publicMetadata, PrivateMetadata: u.privateMetadata, UnsafeMetadata: u.unsafeMetadata,
		LastSignInAt: millisOrNil(u.lastSignInAt), LastActiveAt: millisOrNil(u.lastActiveAt),
		Banned: u.banned, Locked: u.lockout.lockedAt(now), Deprovisioned: u.deprovisioned,
		PasswordLastUpdatedAt: millisOrNil(u.passwordUpdatedAt),
		MFAEnabledAt:          millisOrNil(u.mfaEnabledAt),
		LegalAcceptedAt:       millisOrNil(u.legalAcceptedAt),
		DeleteSelfEnabled:     u.deleteSelf, CreateOrgEnabled: u.createOrg, CreateOrgLimit: u.createOrgLimit,
		BypassClientTrust: u.bypassClientTrust,
		CreatedAt:         u.createdAt.UnixMilli(), UpdatedAt: u.updatedAt.UnixMilli(),
	}
	for i, e := range u.emails {
		body.EmailAddresses[i] = newEmailBody(e)
	}
	if u.primaryEmail != nil {
		body.PrimaryEmailAddressID = &u.primaryEmail.id
	}
	if *s.opts.LockoutEnabled {
		remaining := int64(lockoutAttempts)
		body.AttemptsRemaining = &remaining
	}
	if body.Locked && !u.lockout.until.IsZero() {
		left := wholeSeconds(u.lockout.until.Sub(now))
		body.LockoutExpiresIn = &left
	}
	return body
}

// emailBody is the schema EmailAddress.
type emailBody struct {
	ID                   string                 `json:"id"`
	Object               string                 `json:"object"`
	EmailAddress         string                 `json:"email_address"`
	Reserved             bool                   `json:"reserved"`
	Verification         *emailVerificationBody `json:"verification"`
	LinkedTo             []struct{}             `json:"linked_to"`
	MatchesSSOConnection bool                   `json:"matches_sso_connection"`
	CreatedAt            int64                  `json:"created_at"`
	UpdatedAt            int64                  `json:"updated_at"`
}

// emailVerificationBody is verification_otp or verification_admin.
type emailVerificationBody struct {
	Object   string `json:"object"`
	Status   string `json:"status"`
	Strategy string `json:"strategy"`
	Attempts *int   `json:"attempts"`
	ExpireAt *int64 `json:"expire_at"`
}

func newEmailBody(e *emailAddress) emailBody {
	body := emailBody{
		ID: e.id, Object: "email_address", EmailAddress: e.address, Reserved: e.reserved,
		LinkedTo: []struct{}{}, CreatedAt: e.createdAt.UnixMilli(), UpdatedAt: e.updatedAt.UnixMilli(),
	}
	if v := e.verification; v != nil {
		body.Verification = &emailVerificationBody{
			Object: v.object, Status: verificationVerified, Strategy: v.strategy, Attempts: v.attempts, ExpireAt: v.expireAt,
		}
	}
	return body
}

// deletedBody is the schema DeletedObject.
type deletedBody struct {
	Object  string `json:"object"`
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

// millisOrNil is a Backend API timestamp: Unix milliseconds, or null.
func millisOrNil(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
