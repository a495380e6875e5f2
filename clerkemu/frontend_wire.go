package clerkemu

import "time"

// signInAnswer is the schema ClientWrappedSignIn of the Frontend API.
type signInAnswer struct {
	Response signInBody `json:"response"`
	Client   clientBody `json:"client"`
}

// signInBody is the schema SignIn of the Frontend API.
type signInBody struct {
	Object                   string           `json:"object"`
	ID                       string           `json:"id"`
	Status                   string           `json:"status"`
	SupportedIdentifiers     []string         `json:"supported_identifiers"`
	SupportedFirstFactors    []struct{}       `json:"supported_first_factors"`
	SupportedSecondFactors   []struct{}       `json:"supported_second_factors"`
	FirstFactorVerification  *verificationRef `json:"first_factor_verification"`
	SecondFactorVerification *verificationRef `json:"second_factor_verification"`
	Identifier               *string          `json:"identifier"`
	UserData                 signInUserBody   `json:"user_data"`
	CreatedSessionID         string           `json:"created_session_id"`
	AbandonAt                int64            `json:"abandon_at"`
	ClientTrustState         *string          `json:"client_trust_state"`
}

// verificationRef is the schema Verification.Ticket of the Frontend API.
type verificationRef struct {
	Object   string `json:"object"`
	Status   string `json:"status"`
	Strategy string `json:"strategy"`
	Attempts *int   `json:"attempts"`
	ExpireAt *int64 `json:"expire_at"`
}

// signInUserBody is what a sign-in tells of its user.
type signInUserBody struct {
	FirstName *string `json:"first_name"`
	LastName  *string `json:"last_name"`
	HasImage  bool    `json:"has_image"`
}

// clientBody is the schema Client of the Frontend API.
type clientBody struct {
	Object              string              `json:"object"`
	ID                  string              `json:"id"`
	Sessions            []clientSessionBody `json:"sessions"`
	SignIn              *struct{}           `json:"sign_in"`
	SignUp              *struct{}           `json:"sign_up"`
	LastActiveSessionID string              `json:"last_active_session_id"`
	LastStrategy        string              `json:"last_authentication_strategy"`
	CookieExpiresAt     *int64              `json:"cookie_expires_at"` // native clients have no cookie
	CaptchaBypass       bool                `json:"captcha_bypass"`
	CreatedAt           int64               `json:"created_at"`
	UpdatedAt           int64               `json:"updated_at"`
}

// clientSessionBody is the schema Session of the Frontend API.
type clientSessionBody struct {
	Object          string         `json:"object"`
	ID              string         `json:"id"`
	Status          string         `json:"status"`
	ExpireAt        int64          `json:"expire_at"`
	AbandonAt       int64          `json:"abandon_at"`
	LastActiveAt    int64          `json:"last_active_at"`
	LastActiveToken *tokenBody     `json:"last_active_token"`
	LastOrgID       *string        `json:"last_active_organization_id"`
	User            clientUserBody `json:"user"`
	PublicUserData  publicUserBody `json:"public_user_data"`
	FactorAges      []int          `json:"factor_verification_age"`
	CreatedAt       int64          `json:"created_at"`
	UpdatedAt       int64          `json:"updated_at"`
}

// clientUserBody is the schema User of the Frontend API: that of the Backend
// API without what is not for the eyes of the user. The fields here take the
// place of the embedded ones, and are left out when they are nil.
type clientUserBody struct {
	userBody
	PrivateMetadata   *struct{} `json:"private_metadata,omitempty"`
	Locale            *struct{} `json:"locale,omitempty"`
	BypassClientTrust *struct{} `json:"bypass_client_trust,omitempty"`
	CreateOrgLimit    *int64    `json:"create_organizations_limit,omitempty"`
}

// publicUserBody is the schema PublicUserData of the Frontend API.
type publicUserBody struct {
	FirstName       *string `json:"first_name"`
	LastName        *string `json:"last_name"`
	ImageURL        *string `json:"image_url"`
	ProfileImageURL *string `json:"profile_image_url"`
	HasImage        bool    `json:"has_image"`
	Identifier      string  `json:"identifier"`
	UserID          string  `json:"user_id"`
	Username        *string `json:"username"`
	Banned          bool    `json:"banned"`
	Deprovisioned   bool    `json:"deprovisioned"`
}

// newSignInAnswer describes a sign-in that has just become complete. What it
// holds where the document leaves a choice is inferred [I]. The store must be
// locked.
func (s *Server) newSignInAnswer(sess *session, now time.Time) *signInAnswer {
	const untilAbandoned = 24 * time.Hour
	u, c := sess.owner, sess.client
	var identifier *string
	if u.primaryEmail != nil {
		identifier = &u.primaryEmail.address
	}
	return &signInAnswer{
		Response: signInBody{
			Object: "sign_in_attempt", ID: newID(prefixSignIn), Status: "complete",
			SupportedIdentifiers: []string{"email_address"},
			FirstFactorVerification: &verificationRef{
				Object: "verification_ticket", Status: verificationVerified, Strategy: strategyTicket,
			},
			Identifier: identifier, UserData: signInUserBody{FirstName: u.firstName, LastName: u.lastName},
			CreatedSessionID: sess.id, AbandonAt: now.Add(untilAbandoned).UnixMilli(),
		},
		Client: clientBody{
			Object: "client", ID: c.id,
			Sessions:            []clientSessionBody{s.newClientSessionBody(sess, textOf(identifier), now)},
			LastActiveSessionID: sess.id, LastStrategy: strategyTicket,
			CreatedAt: c.createdAt.UnixMilli(), UpdatedAt: c.updatedAt.UnixMilli(),
		},
	}
}

func (s *Server) newClientSessionBody(sess *session, identifier string, now time.Time) clientSessionBody {
	u := sess.owner
	return clientSessionBody{
		Object: "session", ID: sess.id, Status: sess.statusAt(now),
		ExpireAt: sess.expireAt.UnixMilli(), AbandonAt: sess.abandonAt.UnixMilli(), LastActiveAt: sess.lastActiveAt.UnixMilli(),
		User: clientUserBody{userBody: s.userBody(u), CreateOrgLimit: u.createOrgLimit},
		PublicUserData: publicUserBody{
			FirstName: u.firstName, LastName: u.lastName, Identifier: identifier, UserID: u.id,
			Banned: u.banned, Deprovisioned: u.deprovisioned,
		},
		FactorAges: []int{0, -1},
		CreatedAt:  sess.createdAt.UnixMilli(), UpdatedAt: sess.updatedAt.UnixMilli(),
	}
}
