package stub

import (
	"fmt"
	"strings"
	"time"
)

// verifiedAddress is how an address looks whose code was entered.
const verifiedAddress = `{"object":"verification_otp","status":"verified","strategy":"email_code","attempts":1,"expire_at":1763900000000}`

// userBody returns a user of Clerk's: one with a name, a picture, a few metadata and an account at Google, as many have.
func userBody(address, verification string) string {
	return strings.NewReplacer("$SUFFIX", idSuffix(address), "$ADDRESS", address, "$VERIFICATION", verification,
		"$RESERVED", fmt.Sprint(verification == "null")).Replace(userTemplate)
}

const userTemplate = `{"id":"user_$SUFFIX","object":"user","username":null,"first_name":"Augusta Ada","last_name":"King","locale":"en-GB",
"image_url":"https://img.clerk.com/eyJ0eXBlIjoicHJveHkiLCJzcmMiOiJodHRwczovL2ltYWdlcy5jbGVyay5kZXYvb2F1dGhfZ29vZ2xlL2ltZ18yelN0dWIifQ",
"has_image":true,"primary_email_address_id":"idn_$SUFFIX","primary_phone_number_id":null,"primary_web3_wallet_id":null,
"password_enabled":true,"two_factor_enabled":false,"totp_enabled":false,"backup_code_enabled":false,
"email_addresses":[{"id":"idn_$SUFFIX","object":"email_address","email_address":"$ADDRESS","reserved":$RESERVED,
"verification":$VERIFICATION,"linked_to":[],"matches_sso_connection":false,"created_at":1757500000000,"updated_at":1763800000000}],
"phone_numbers":[],"web3_wallets":[],"passkeys":[],"external_accounts":[],"saml_accounts":[],"enterprise_accounts":[],
"public_metadata":{"plan":"team","seats":12,"onboarded":true,"locale":{"language":"en","time_zone":"Europe/London"}},
"private_metadata":{"clerkql_sign_up":true,"crm":{"contact":"0035e00000AbCdEfGh","owner":"0055e00000ZyXwVuTs"}},
"unsafe_metadata":{"theme":"dark","last_seen_release":"2026.11.2"},
"external_id":null,"last_sign_in_at":1763800000000,"last_active_at":1763850000000,"banned":false,"locked":false,"deprovisioned":false,
"lockout_expires_in_seconds":null,"verification_attempts_remaining":10,"password_last_updated_at":1757500000000,
"mfa_enabled_at":null,"mfa_disabled_at":null,"legal_accepted_at":1757500000000,"delete_self_enabled":true,
"create_organization_enabled":true,"create_organizations_limit":null,"bypass_client_trust":false,
"created_at":1757500000000,"updated_at":1763850000000}`

func verificationBody(emailAddressID string) string {
	return fmt.Sprintf(`{"object":"verification","id":"ver_%s","status":"unverified","strategy":"email_code","attempts":0,"expire_at":%d,"channel":null}`,
		strings.TrimPrefix(emailAddressID, "idn_"), time.Now().Add(10*time.Minute).UnixMilli())
}

func sessionBody(userID string) string {
	suffix, now := strings.TrimPrefix(userID, "user_"), time.Now()
	return fmt.Sprintf(`{"object":"session","id":"sess_%s","user_id":"user_%s","client_id":"client_%s","actor":null,"status":"active",`+
		`"last_active_organization_id":null,"last_active_at":%d,"latest_activity":null,"expire_at":%d,"abandon_at":%d,"created_at":%d,"updated_at":%d}`,
		suffix, suffix, suffix, now.UnixMilli(), now.Add(7*24*time.Hour).UnixMilli(), now.Add(30*24*time.Hour).UnixMilli(), now.UnixMilli(), now.UnixMilli())
}

const domainsBody = `{"data":[{"object":"domain","id":"dmn_2zStub","name":"example.com","is_satellite":false,"is_provider_domain":false,
"frontend_api_url":"` + Issuer + `","accounts_portal_url":"https://accounts.example.com","proxy_url":null,"development_origin":"","cname_targets":[],
"created_at":"1757500000000","updated_at":"1757500000000"}],"total_count":1}`
