// Package flows has the flows that are measured, as requests to what answers them: to a GraphQL API with the documents that an app would
// send, or to a REST route with the same input.
package flows

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"clerkql/bench/load"
)

// The flows, by the names of their fields, in the order of their calls to Clerk.
const (
	SignIn         = "signIn"
	SignUp         = "signUp"
	RefreshSession = "refreshSession"
	Viewer         = "viewer"
)

// All returns the flows.
func All() []string { return []string{SignIn, SignUp, RefreshSession, Viewer} }

// Calls is how many calls to Clerk a flow takes.
func Calls(flow string) int { return map[string]int{SignIn: 4, SignUp: 2, RefreshSession: 1}[flow] }

// Password is everybody's. It is one that passes a check of its strength.
const Password = "difference engine 1843"

// sessions is how many sessions the flows go on from that go on from one.
const sessions = 64

// Address returns the e-mail address of account i.
func Address(i int) string { return fmt.Sprintf("somebody.%d@example.com", i) }

// clientIP returns the IP address of client i.
func clientIP(i int) string { return fmt.Sprintf("%d.%d.%d.%d", 100+i>>24, i>>16&255, i>>8&255, i&255) }

// API makes requests of one kind.
type API interface {
	// Request returns one flow as a request. A flow that goes on from a sign-in needs its session.
	Request(flow string, client int, from Session) []byte
	// Want returns what the answer to a flow has in it if it is what it is to be.
	Want(flow string) []byte
}

// Session is what a sign-in gave.
type Session struct {
	SessionID    string
	SessionToken string
	RefreshToken string
}

// Requests returns one flow of each of so many accounts as requests. It signs in first where the flow goes on from that.
func Requests(api API, client *load.Client, flow string, accounts int) (load.Requests, error) {
	requests := load.Requests{Want: api.Want(flow)}
	from := []Session{{}}
	if flow == RefreshSession || flow == Viewer {
		from = nil
		for i := range min(sessions, accounts) {
			answer, err := client.Do(api.Request(SignIn, i, Session{}))
			if err != nil {
				return load.Requests{}, err
			}
			session, err := readSession(answer)
			if err != nil {
				return load.Requests{}, err
			}
			from = append(from, session)
		}
	}
	for i := range accounts {
		requests.Bytes = append(requests.Bytes, api.Request(flow, i, from[i%len(from)]))
	}
	return requests, nil
}

// readSession reads the answer to a sign-in of either kind.
func readSession(answer []byte) (Session, error) {
	var body struct {
		Session
		Data struct{ SignIn Session }
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		return Session{}, err
	}
	for _, session := range []Session{body.Session, body.Data.SignIn} {
		if session.SessionToken != "" {
			return session, nil
		}
	}
	return Session{}, errors.New("no session in " + string(answer))
}

// input is what the flows are told, the same for either kind.
func input(flow string, client int, from Session) map[string]any {
	switch flow {
	case SignIn:
		return map[string]any{"email": Address(client), "password": Password}
	case SignUp:
		return map[string]any{"email": Address(client), "password": Password, "firstName": "Augusta Ada", "lastName": "King"}
	case RefreshSession:
		return map[string]any{"refreshToken": from.RefreshToken}
	default:
		return nil
	}
}

// post returns a request as a browser's behind a proxy would be, with about as many headers.
func post(path string, body any, client int, token string) []byte {
	encoded, _ := json.Marshal(body) // of text and maps of it
	var r strings.Builder
	fmt.Fprintf(&r, "POST %s HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, len(encoded))
	fmt.Fprintf(&r, "Accept: application/json\r\nAccept-Language: en-GB,en;q=0.7\r\nX-Forwarded-For: %s\r\n", clientIP(client))
	r.WriteString("User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n")
	if token != "" {
		fmt.Fprintf(&r, "Authorization: Bearer %s\r\n", token)
	}
	r.WriteString("\r\n")
	r.Write(encoded)
	return []byte(r.String())
}
