package clerkemu

import "strings"

// domainBody is the schema Domain.
type domainBody struct {
	Object            string     `json:"object"`
	ID                string     `json:"id"`
	Name              string     `json:"name"`
	IsSatellite       bool       `json:"is_satellite"`
	FrontendAPIURL    string     `json:"frontend_api_url"`
	AccountsPortalURL string     `json:"accounts_portal_url"`
	ProxyURL          *string    `json:"proxy_url"`
	DevelopmentOrigin string     `json:"development_origin"`
	CNAMETargets      []struct{} `json:"cname_targets"`
}

// listDomains is ListDomains, GET /domains: the instance has one domain, the
// primary one.
func (s *Server) listDomains(*request) (any, error) {
	base := s.FrontendAPIURL()
	return struct {
		Data       []domainBody `json:"data"`
		TotalCount int          `json:"total_count"`
	}{
		Data: []domainBody{{
			Object: "domain",
			// Fixed for the life of the instance.
			ID:                prefixDomain + strings.TrimPrefix(s.signer.instanceID, prefixInstance),
			Name:              strings.TrimPrefix(base, "http://"),
			FrontendAPIURL:    base,
			AccountsPortalURL: base,
			ProxyURL:          emptyToNil(&s.opts.ProxyURL),
			CNAMETargets:      []struct{}{},
		}},
		TotalCount: 1,
	}, nil
}
