// Package clerkemu is an embedded Clerk: an HTTP server that does what those
// parts of Clerk's Backend and Frontend API do that an authentication gateway
// needs, faithfully to Clerk's own OpenAPI documents. It is for development,
// demos and tests, and can never be reached from another machine: it listens on
// loopback only.
//
// In a test:
//
//	emu := clerkemu.RunT(t)
//	backend := clerk.NewBackend(&clerk.BackendConfig{
//		URL: clerk.String(emu.APIURL()),
//		Key: clerk.String(emu.SecretKey()),
//	})
//
// Users can be put in with SeedUser and looked at with UserByEmail and its
// neighbours. Mailed codes are read with Mail, time passes with FastForward,
// Calls tells what was asked, and InjectFault makes the instance misbehave.
//
// # What it serves
//
//	/v1/...        the Backend API: users, email addresses and their
//	               verifications, sessions and their tokens, sign-in tokens,
//	               the JWKS, domains, the instance. Everything else answers
//	               resource_not_found.
//	/v1/client/... the Frontend API, as below
//	/              redirects to /mailbox
//	/mailbox       the mail, for a person; ?to=ADDRESS filters
//	/mailbox.json  the mail, for a test: [{"to","subject","code","sentAt"}]
//	/control/...   the control API
//
// # Frontend API
//
// What a native client needs to redeem a sign-in token, without the secret key:
//
//	POST /v1/client/sign_ins             strategy=ticket and ticket=...
//	POST /v1/client/sessions/{id}/tokens another session token
//
// Bodies are forms. A native client adds _is_native=1 to the query and sends
// the token of its client as Authorization: nothing at first, then what the
// Authorization header of the latest answer held. Browsers, which keep it in a
// cookie, are not served. With Options.ProxyURL nobody is served but a proxy
// that sends Clerk-Proxy-Url, Clerk-Secret-Key and X-Forwarded-For.
//
// In Calls and InjectFault these operations are fapi.createSignIn and
// fapi.createSessionToken.
//
// # Control API
//
// For programs that are not written in Go. Bodies are JSON. Errors are
// {"error": "..."} with status 400.
//
//	POST   /control/faults  InjectFault: {"operation", "kind", "skip", "times",
//	                        "latencyMillis", "status", "code", "retryAfterSeconds"}
//	GET    /control/faults  PendingFaults: {"pending"}
//	DELETE /control/faults  ClearFaults
//	GET    /control/calls   Calls: [{"operation", "method", "path", "status"}]
//	DELETE /control/calls   ResetCalls
//	POST   /control/clock   FastForward: {"advanceSeconds"}, answers {"now"};
//	                        at most ten years in all
//	POST   /control/users   SeedUser: the fields of UserSeed, answers a User
//	GET    /control/totp    TOTPCode: ?email=ADDRESS, answers {"code"}
//
// Every path refuses requests whose Host is not a loopback host, with 403; the
// control API also refuses those of a foreign Origin.
//
// # Certain and inferred
//
// Behaviour that Clerk has not published is marked [I] here and configurable
// where it matters. docs/clerkemu-divergences.md lists it.
package clerkemu
