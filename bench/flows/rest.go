package flows

// REST is one route for each flow.
type REST struct{}

// Request implements [API].
func (REST) Request(flow string, client int, from Session) []byte {
	token := ""
	if flow == Viewer {
		token = from.SessionToken
	}
	return post("/"+flow, input(flow, client, from), client, token)
}

// Want implements [API].
func (REST) Want(flow string) []byte {
	return []byte(map[string]string{
		SignIn: `"sessionToken":"`, SignUp: `"verificationId":"`, RefreshSession: `"sessionToken":"`, Viewer: `"userId":"user_`,
	}[flow])
}
