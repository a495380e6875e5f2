package clerkemu

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/clerk/clerk-sdk-go/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sharedKey spares each test server a key generation.
var sharedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

const (
	goodPassword = "vivid-Otter-47"
	totpSecret   = "JBSWY3DPEHPK3PXP" // base32
)

// fixture is a running instance with a client that checks every answer
// against Clerk's OpenAPI document.
type fixture struct {
	*Server
	t      *testing.T
	client *http.Client
	plain  *http.Client // checks nothing
	sdk    clerk.ClientConfig
}

func start(t *testing.T, opts ...func(*Options)) *fixture {
	t.Helper()
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	opts = append([]func(*Options){func(o *Options) { o.SigningKey = key }}, opts...)
	s := RunT(t, opts...)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: &specTransport{t: t, now: s.clock.Now, next: transport}}
	return &fixture{
		Server: s, t: t, client: client, plain: &http.Client{Transport: transport},
		sdk: clerk.ClientConfig{BackendConfig: clerk.BackendConfig{
			HTTPClient: client, URL: clerk.String(s.APIURL()), Key: clerk.String(s.SecretKey()),
		}},
	}
}

// reply is a decoded answer.
type reply struct {
	status int
	header http.Header
	body   any
}

// do is send for the goroutine of the test.
func (f *fixture) do(method, path string, body any, headers ...string) reply {
	f.t.Helper()
	r, err := f.send(method, path, body, headers...)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// send sends a raw request; a string body goes out as it is, others as JSON.
func (f *fixture) send(method, path string, body any, headers ...string) (reply, error) {
	var payload io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		payload = bytes.NewBufferString(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return reply{}, err
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, f.APIURL()+path, payload)
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+f.SecretKey())
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header}
	err = json.NewDecoder(resp.Body).Decode(&out.body)
	return out, err
}

// ok is do for a call that must succeed.
func (f *fixture) ok(method, path string, body any) map[string]any {
	f.t.Helper()
	r := f.do(method, path, body)
	object, isObject := r.body.(map[string]any)
	if r.status != http.StatusOK || !isObject {
		f.t.Fatalf("%s %s: %d %v", method, path, r.status, r.body)
	}
	return object
}

// codes lists the error codes of a reply.
func (r reply) codes() []string {
	var list []string
	object, _ := r.body.(map[string]any)
	items, _ := object["errors"].([]any)
	for _, item := range items {
		entry, _ := item.(map[string]any)
		code, _ := entry["code"].(string)
		list = append(list, code)
	}
	return list
}

// want checks the status and the only error code of a reply.
func (r reply) want(t *testing.T, status int, code string) {
	t.Helper()
	if codes := r.codes(); r.status != status || len(codes) != 1 || codes[0] != code {
		t.Errorf("got %d %v, want %d %s (%v)", r.status, codes, status, code, r.body)
	}
}

// seed puts in a verified user with goodPassword.
func (f *fixture) seed(address string, change ...func(*UserSeed)) User {
	f.t.Helper()
	seed := UserSeed{EmailAddress: address, Password: goodPassword}
	for _, c := range change {
		c(&seed)
	}
	u, err := f.SeedUser(seed)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

// code reads the newest mailed code.
func (f *fixture) code(address string) string {
	f.t.Helper()
	mail := f.Mail(address)
	if len(mail) == 0 {
		f.t.Fatalf("no mail to %s", address)
	}
	return mail[0].Code
}

// wrongCode is a well-formed code that is not the given one.
func wrongCode(right string) string {
	if right == "000000" {
		return "000001"
	}
	return "000000"
}

// wantSDKError checks the status and code of an error of the SDK.
func wantSDKError(t *testing.T, err error, status int, code string) {
	t.Helper()
	var apiErr *clerk.APIErrorResponse
	if !errors.As(err, &apiErr) {
		t.Fatalf("got %v, want a Clerk error", err)
	}
	if apiErr.Response.StatusCode != status || len(apiErr.Errors) != 1 || apiErr.Errors[0].Code != code {
		t.Errorf("got %d %+v, want %d %s", apiErr.Response.StatusCode, apiErr.Errors, status, code)
	}
	if apiErr.TraceID == "" {
		t.Error("no trace id")
	}
}
