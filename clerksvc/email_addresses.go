package clerksvc

import (
	"context"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/emailaddress"

	"clerkql/internal/secret"
)

// CreateEmailAddress adds an address to a user. Spec: CreateEmailAddress, POST /email_addresses. Not idempotent.
func (a *API) CreateEmailAddress(ctx context.Context, params *emailaddress.CreateParams) (*clerk.EmailAddress, error) {
	address := &clerk.EmailAddress{}
	if err := a.call(ctx, "CreateEmailAddress", http.MethodPost, "/email_addresses", params, address); err != nil {
		return nil, err
	}
	return address, nil
}

// GetEmailAddress returns an address by id. Spec: GetEmailAddress, GET /email_addresses/{email_address_id}.
func (a *API) GetEmailAddress(ctx context.Context, id string) (*clerk.EmailAddress, error) {
	if err := checkID("GetEmailAddress", id); err != nil {
		return nil, err
	}
	address := &clerk.EmailAddress{}
	if err := a.call(ctx, "GetEmailAddress", http.MethodGet, "/email_addresses/"+id, nil, address); err != nil {
		return nil, err
	}
	return address, nil
}

// UpdateEmailAddress marks an address verified or primary. Spec: UpdateEmailAddress,
// PATCH /email_addresses/{email_address_id}.
func (a *API) UpdateEmailAddress(ctx context.Context, id string, params *emailaddress.UpdateParams) (*clerk.EmailAddress, error) {
	if err := checkID("UpdateEmailAddress", id); err != nil {
		return nil, err
	}
	address := &clerk.EmailAddress{}
	if err := a.call(ctx, "UpdateEmailAddress", http.MethodPatch, "/email_addresses/"+id, params, address); err != nil {
		return nil, err
	}
	return address, nil
}

// DeleteEmailAddress removes an address from its user. Spec: DeleteEmailAddress,
// DELETE /email_addresses/{email_address_id}.
func (a *API) DeleteEmailAddress(ctx context.Context, id string) error {
	if err := checkID("DeleteEmailAddress", id); err != nil {
		return err
	}
	return a.call(ctx, "DeleteEmailAddress", http.MethodDelete, "/email_addresses/"+id, nil, &clerk.DeletedResource{})
}

// Statuses of a [Verification].
const (
	StatusUnverified = "unverified"
	StatusVerified   = "verified"
	StatusExpired    = "expired"
	StatusFailed     = "failed"
)

// Verification is a code that was sent to an address (response _VerificationResponse).
type Verification struct {
	clerk.APIResource
	// ID is what AttemptEmailAddressVerification wants to know.
	ID string `json:"id"`
	// Status is one of the constants above. Only StatusVerified is success.
	Status string `json:"status"`
	// Attempts made so far; nil when Clerk does not tell.
	Attempts *int `json:"attempts"`
	// ExpireAt is when the code stops being good, in Unix milliseconds; nil when Clerk does not tell.
	ExpireAt *int64 `json:"expire_at"`
}

// ExpiresAt returns when the code stops being good, or fallback when Clerk does not tell.
func (v *Verification) ExpiresAt(fallback time.Time) time.Time {
	if v.ExpireAt == nil {
		return fallback
	}
	return time.UnixMilli(*v.ExpireAt).UTC()
}

// PrepareEmailAddressVerification mails a code to an address. Each code is a verification of its own and leaves
// earlier ones alone. A second code within 30 seconds is refused with verification_code_too_many_requests.
// Spec: PrepareEmailAddressVerification, POST /email_addresses/{email_address_id}/prepare_verification.
func (a *API) PrepareEmailAddressVerification(ctx context.Context, id string) (*Verification, error) {
	const operation = "PrepareEmailAddressVerification"
	if err := checkID(operation, id); err != nil {
		return nil, err
	}
	prepared := &Verification{}
	if err := a.call(ctx, operation, http.MethodPost, "/email_addresses/"+id+"/prepare_verification", nil, prepared); err != nil {
		return nil, err
	}
	return prepared, nil
}

type attemptVerificationParams struct {
	clerk.APIParams
	VerificationID string `json:"verification_id"`
	Code           string `json:"code"`
}

// AttemptEmailAddressVerification checks a code. A wrong or expired code is not an error: the answer's Status says
// so, and only StatusVerified is success. Success marks the address verified, whatever it was before, and uses the
// verification up: a second attempt at it is the code verification_already_verified.
// Spec: AttemptEmailAddressVerification, POST /email_addresses/{email_address_id}/attempt_verification.
func (a *API) AttemptEmailAddressVerification(ctx context.Context, id, verificationID string, code secret.String) (*Verification, error) {
	const operation = "AttemptEmailAddressVerification"
	if err := checkID(operation, id); err != nil {
		return nil, err
	}
	params := &attemptVerificationParams{VerificationID: verificationID, Code: code.Reveal()}
	attempted := &Verification{}
	if err := a.call(ctx, operation, http.MethodPost, "/email_addresses/"+id+"/attempt_verification", params, attempted); err != nil {
		return nil, err
	}
	return attempted, nil
}
