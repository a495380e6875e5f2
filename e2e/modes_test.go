package e2e

import "clerkql/clerkemu"

// mode is a session mode on a kind of Clerk instance on which it works.
type mode struct {
	name       string
	session    string
	production bool
	success    string
}

func modes() []mode {
	return []mode{
		{"session, development", "session", false, "SessionCreated"},
		{"ticket, development", "ticket", false, "SignInTicketIssued"},
		{"ticket, production", "ticket", true, "SignInTicketIssued"},
		{"exchange, development", "exchange", false, "SessionCreated"},
		{"exchange, production", "exchange", true, "SessionCreated"},
	}
}

func (m mode) options(o *clerkemu.Options) { o.Production = m.production }

func (m mode) flags(clerk *clerkemu.Server) []string {
	return []string{"--session-mode=" + m.session, "--clerk-frontend-api-url=" + clerk.FrontendAPIURL()}
}
