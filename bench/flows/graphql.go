package flows

import "strings"

// GraphQL is a GraphQL API.
type GraphQL struct{}

// document returns what an app sends for a flow: the fields that it needs of the success, and code and message of all else.
func document(flow string) string {
	switch flow {
	case SignIn:
		return `mutation SignIn($input: SignInInput!) { signIn(input: $input) { __typename
			... on SessionCreated { userId sessionId sessionToken refreshToken expiresAt } ... on UserError { code message } } }`
	case SignUp:
		return `mutation SignUp($input: SignUpInput!) { signUp(input: $input) { __typename
			... on VerificationRequired { userId emailAddressId verificationId expiresAt } ... on UserError { code message } } }`
	case RefreshSession:
		return `mutation RefreshSession($input: RefreshSessionInput!) { refreshSession(input: $input) { __typename
			... on SessionRefreshed { sessionToken expiresAt } ... on UserError { code message } } }`
	default:
		return `query Viewer { viewer { userId sessionId expiresAt } }`
	}
}

// Request implements [API].
func (GraphQL) Request(flow string, client int, from Session) []byte {
	body := map[string]any{"operationName": strings.ToUpper(flow[:1]) + flow[1:], "query": document(flow)}
	if in := input(flow, client, from); in != nil {
		body["variables"] = map[string]any{"input": in}
	}
	token := ""
	if flow == Viewer {
		token = from.SessionToken
	}
	return post("/graphql", body, client, token)
}

// Want implements [API].
func (GraphQL) Want(flow string) []byte {
	return []byte(map[string]string{
		SignIn: `"SessionCreated"`, SignUp: `"VerificationRequired"`, RefreshSession: `"SessionRefreshed"`, Viewer: `"viewer":{"userId":"user_`,
	}[flow])
}

// Refused returns a sign-in of a client that is refused for its input, after it was charged to the client's budget.
func Refused(client int) []byte {
	return post("/graphql", map[string]any{
		"query": document(SignIn), "variables": map[string]any{"input": map[string]any{"email": "", "password": ""}},
	}, client, "")
}
