package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// member is a union member as a client gets it.
type member map[string]any

func (m member) typename() string { return m.text("__typename") }

func (m member) text(field string) string {
	text, _ := m[field].(string)
	return text
}

// answer is a GraphQL response.
type answer struct {
	Status int
	Header http.Header `json:"-"`
	Raw    string
	Data   map[string]json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// errorCode returns extensions.code of the first error.
func (a answer) errorCode() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// send sends a body as it is. It may be called from any goroutine.
func (a *api) send(ctx context.Context, body string, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := cmp.Or(a.client, httpClient).Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	got := answer{Status: resp.StatusCode, Header: resp.Header, Raw: string(raw)}
	if err := json.Unmarshal(raw, &got); err != nil {
		return answer{}, fmt.Errorf("status %d, and the answer is not JSON: %s", resp.StatusCode, raw)
	}
	return got, nil
}

// post sends a body as it is, and fails the test if there is no answer.
func (a *api) post(t testing.TB, body string, header http.Header) answer {
	t.Helper()
	got, err := a.send(t.Context(), body, header)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// query runs a document.
func (a *api) query(t testing.TB, document string, variables map[string]any, header http.Header) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return a.post(t, string(body), header)
}

// do runs a mutation and returns the member that it ended with. A GraphQL error fails the test.
func (a *api) do(t testing.TB, mutation string, input map[string]any) member {
	t.Helper()
	return a.doAs(t, "", mutation, input)
}

// doAs is do with a session token, unless it is empty.
func (a *api) doAs(t testing.TB, sessionToken, mutation string, input map[string]any) member {
	t.Helper()
	var header http.Header
	if sessionToken != "" {
		header = bearer(sessionToken)
	}
	return a.doWith(t, header, mutation, input)
}

// doWith is do with headers.
func (a *api) doWith(t testing.TB, header http.Header, mutation string, input map[string]any) member {
	t.Helper()
	result, err := a.ask(t.Context(), header, mutation, input)
	if err != nil {
		t.Fatalf("%s: %v", mutation, err)
	}
	return result
}

// ask runs a mutation and returns the member that it ended with. It may be called from any goroutine. A GraphQL error is an error.
func (a *api) ask(ctx context.Context, header http.Header, mutation string, input map[string]any) (member, error) {
	body, err := json.Marshal(map[string]any{"query": contract.document(mutation), "variables": map[string]any{"input": input}})
	if err != nil {
		return nil, err
	}
	got, err := a.send(ctx, string(body), header)
	if err != nil {
		return nil, err
	}
	if got.Status != http.StatusOK || len(got.Errors) > 0 {
		return nil, fmt.Errorf("status %d: %s", got.Status, got.Raw)
	}
	var result member
	if err := json.Unmarshal(got.Data["result"], &result); err != nil {
		return nil, fmt.Errorf("%w: %s", err, got.Raw)
	}
	contract.saw(mutation, result.typename())
	a.log.expect(mutation, result)
	return result, nil
}

// decode reads a field of an answer's data.
func (a *api) decode(t testing.TB, got answer, field string, into any) {
	t.Helper()
	if err := json.Unmarshal(got.Data[field], into); err != nil {
		t.Fatalf("%v: %s", err, got.Raw)
	}
}

// redeem redeems a ticket at the Frontend API, as a native app would, and returns the status of the answer.
func redeem(t testing.TB, clerk *clerkemu.Server, ticket string) int {
	t.Helper()
	form := url.Values{"strategy": {"ticket"}, "ticket": {ticket}}
	resp, err := httpClient.PostForm(clerk.FrontendAPIURL()+"/v1/client/sign_ins?_is_native=1", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// want runs a mutation and fails the test unless it ends with this member.
func (a *api) want(t testing.TB, typename, mutation string, input map[string]any) member {
	t.Helper()
	return a.wantAs(t, "", typename, mutation, input)
}

// wantAs is want with a session token.
func (a *api) wantAs(t testing.TB, sessionToken, typename, mutation string, input map[string]any) member {
	t.Helper()
	result := a.doAs(t, sessionToken, mutation, input)
	if result.typename() != typename {
		t.Fatalf("%s answered %v, want %s", mutation, result, typename)
	}
	return result
}

// code returns the newest code in the mailbox of an address.
func code(t testing.TB, clerk *clerkemu.Server, to string) string {
	t.Helper()
	mail := clerk.Mail(to)
	if len(mail) == 0 {
		t.Fatalf("no mail to %s", to)
	}
	return mail[0].Code
}

// wrong returns a code that is not this one.
func wrong(code string) string {
	return strings.Map(func(digit rune) rune { return '0' + (digit-'0'+5)%10 }, code)
}

// begin sends a mutation from another goroutine, gives it the time to get to Clerk, which must have been told to be slow, and
// returns where its answer will be.
func (a *api) begin(ctx context.Context, t testing.TB, mutation string, input map[string]any) <-chan error {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": contract.document(mutation), "variables": map[string]any{"input": input}})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		got, err := a.send(ctx, string(body), nil)
		if err == nil && !strings.Contains(got.Raw, `"__typename":"VerificationRequired"`) {
			err = errors.New(got.Raw)
		}
		answered <- err
	}()
	// Far longer than the request takes to get to Clerk, far shorter than Clerk takes to answer.
	time.Sleep(500 * time.Millisecond)
	return answered
}
