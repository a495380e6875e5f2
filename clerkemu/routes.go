package clerkemu

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Where the parts of the instance are mounted.
const (
	apiPath     = "/v1"
	mailboxPath = "/mailbox"
	controlPath = "/control"
)

// operation is one operation of Clerk's APIs.
type operation struct {
	id       string // operationId in Clerk's OpenAPI document, after "fapi." in the Frontend API
	method   string
	path     string // below /v1; {id} is the resource that is meant
	run      func(*Server, *request) (any, error)
	frontend bool // of the Frontend API
	noLimit  bool // exempt from the rate limit
}

// operations lists all that is served under /v1.
func operations() []operation {
	return append(backendOperations(), frontendOperations()...)
}

// frontendOperations lists what is served of the Frontend API.
func frontendOperations() []operation {
	return []operation{
		{
			id: "fapi.createSignIn", method: http.MethodPost, frontend: true,
			path: "/client/sign_ins", run: (*Server).createSignIn,
		},
		{
			id: "fapi.createSessionToken", method: http.MethodPost, frontend: true,
			path: "/client/sessions/{id}/tokens", run: (*Server).createClientSessionToken,
		},
	}
}

// backendOperations lists what is served of the Backend API.
func backendOperations() []operation {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	return []operation{
		{id: "GetUserList", method: get, path: "/users", run: (*Server).getUserList},
		{id: "GetUsersCount", method: get, path: "/users/count", run: (*Server).getUsersCount},
		{id: "CreateUser", method: post, path: "/users", run: (*Server).createUser},
		{id: "GetUser", method: get, path: "/users/{id}", run: (*Server).getUser},
		{id: "UpdateUser", method: patch, path: "/users/{id}", run: (*Server).updateUser},
		{id: "DeleteUser", method: del, path: "/users/{id}", run: (*Server).deleteUser},
		{id: "UpdateUserMetadata", method: patch, path: "/users/{id}/metadata", run: (*Server).updateUserMetadata},
		{id: "VerifyPassword", method: post, path: "/users/{id}/verify_password", run: (*Server).verifyPassword},
		{id: "VerifyTOTP", method: post, path: "/users/{id}/verify_totp", run: (*Server).verifyTOTP},
		{id: "BanUser", method: post, path: "/users/{id}/ban", run: (*Server).banUser},
		{id: "UnbanUser", method: post, path: "/users/{id}/unban", run: (*Server).unbanUser},
		{id: "LockUser", method: post, path: "/users/{id}/lock", run: (*Server).lockUser},
		{id: "UnlockUser", method: post, path: "/users/{id}/unlock", run: (*Server).unlockUser},

		{id: "CreateEmailAddress", method: post, path: "/email_addresses", run: (*Server).createEmailAddress},
		{id: "GetEmailAddress", method: get, path: "/email_addresses/{id}", run: (*Server).getEmailAddress},
		{id: "UpdateEmailAddress", method: patch, path: "/email_addresses/{id}", run: (*Server).updateEmailAddress},
		{id: "DeleteEmailAddress", method: del, path: "/email_addresses/{id}", run: (*Server).deleteEmailAddress},
		{
			id: "PrepareEmailAddressVerification", method: post,
			path: "/email_addresses/{id}/prepare_verification", run: (*Server).prepareVerification,
		},
		{
			id: "AttemptEmailAddressVerification", method: post,
			path: "/email_addresses/{id}/attempt_verification", run: (*Server).attemptVerification,
		},

		{id: "GetSessionList", method: get, path: "/sessions", run: (*Server).getSessionList},
		{id: "createSession", method: post, path: "/sessions", run: (*Server).createSession},
		{id: "GetSession", method: get, path: "/sessions/{id}", run: (*Server).getSession},
		{id: "RevokeSession", method: post, path: "/sessions/{id}/revoke", run: (*Server).revokeSession},
		{id: "CreateSessionToken", method: post, path: "/sessions/{id}/tokens", run: (*Server).createSessionToken},

		{id: "CreateSignInToken", method: post, path: "/sign_in_tokens", run: (*Server).createSignInToken},
		{id: "RevokeSignInToken", method: post, path: "/sign_in_tokens/{id}/revoke", run: (*Server).revokeSignInToken},

		{id: "GetJWKS", method: get, path: "/jwks", run: (*Server).getJWKS, noLimit: true},
		{id: "ListDomains", method: get, path: "/domains", run: (*Server).listDomains},
		{id: "GetInstance", method: get, path: "/instance", run: (*Server).getInstance},
	}
}

// routes builds the handler of the whole instance.
func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(loopbackHostOnly, middleware.GetHead)
	for _, op := range operations() {
		r.Method(op.method, apiPath+op.path, s.serve(op))
	}
	unknown := s.serve(operation{run: (*Server).unknownResource})
	r.Handle(apiPath, unknown)
	r.Handle(apiPath+"/*", unknown)
	r.Get("/", http.RedirectHandler(mailboxPath, http.StatusFound).ServeHTTP)
	r.Get(mailboxPath, s.serveMailboxPage)
	r.Get(mailboxPath+"/", s.serveMailboxPage)
	r.Get(mailboxPath+"/mailbox.css", serveMailboxStyle)
	r.Get(mailboxPath+".json", s.serveMailboxJSON)
	r.With(sameOriginOnly).Mount(controlPath, s.controlRoutes())
	return r
}

// unknownResource answers for everything under /v1 that is not emulated.
func (s *Server) unknownResource(*request) (any, error) {
	return nil, errNotFound("The embedded Clerk does not serve this path and method.")
}
