package clerksvc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/go-jose/go-jose/v4"
)

// Instance is the part of schema Instance that is of use.
type Instance struct {
	clerk.APIResource
	// EnvironmentType is "development" or "production".
	EnvironmentType string `json:"environment_type"`
}

// AnsweredAt returns when Clerk answered by its own clock, which tells whole seconds. Zero: the answer does not say.
func (i *Instance) AnsweredAt() time.Time {
	answeredAt, err := http.ParseTime(i.Response.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return answeredAt
}

// GetInstance returns the instance that the secret key is of. Spec: GetInstance, GET /instance.
func (a *API) GetInstance(ctx context.Context) (*Instance, error) {
	answer := &Instance{}
	if err := a.call(ctx, "GetInstance", http.MethodGet, "/instance", nil, answer); err != nil {
		return nil, err
	}
	if answer.EnvironmentType == "" {
		return nil, &ClerkError{Operation: "GetInstance", Status: http.StatusOK, cause: errUnreadable}
	}
	return answer, nil
}

type jwksAnswer struct {
	clerk.APIResource
	jose.JSONWebKeySet
}

// JWKS returns the public keys that the instance signs session tokens with. Spec: GetJWKS, GET /jwks. Clerk does not
// limit its rate.
func (a *API) JWKS(ctx context.Context) (*jose.JSONWebKeySet, error) {
	answer := &jwksAnswer{}
	if err := a.call(ctx, "GetJWKS", http.MethodGet, "/jwks", nil, answer); err != nil {
		return nil, err
	}
	if len(answer.Keys) == 0 {
		return nil, &ClerkError{Operation: "GetJWKS", Status: http.StatusOK, cause: errUnreadable}
	}
	return &answer.JSONWebKeySet, nil
}

type domainsAnswer struct {
	clerk.APIResource
	Data []struct {
		IsSatellite    bool    `json:"is_satellite"`
		FrontendAPIURL string  `json:"frontend_api_url"`
		ProxyURL       *string `json:"proxy_url"`
	} `json:"data"`
}

// FrontendAPIURL returns the URL of the instance's Frontend API, which is the issuer of its session tokens: that
// of the primary domain, or of the proxy in front of it. Spec: ListDomains, GET /domains.
func (a *API) FrontendAPIURL(ctx context.Context) (string, error) {
	answer := &domainsAnswer{}
	if err := a.call(ctx, "ListDomains", http.MethodGet, "/domains", nil, answer); err != nil {
		return "", err
	}
	for _, domain := range answer.Data {
		switch {
		case domain.IsSatellite:
			continue
		case domain.ProxyURL != nil && *domain.ProxyURL != "":
			return *domain.ProxyURL, nil
		case domain.FrontendAPIURL != "":
			return domain.FrontendAPIURL, nil
		}
	}
	return "", &ClerkError{
		Operation: "ListDomains",
		Status:    http.StatusOK,
		cause:     errors.New("the instance has no primary domain with a Frontend API"),
	}
}
