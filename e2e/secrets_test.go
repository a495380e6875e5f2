package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// transcript is what all tests together told the program in confidence, and what the program wrote where others may read it: its logs,
// and the errors of its answers.
var transcript = &confidences{secrets: map[string]bool{}}

// httpClient sends the requests of the tests.
var httpClient = overheard(http.DefaultTransport)

// overheard returns a client that keeps the secrets in what it sends by a transport, and in the answers.
func overheard(transport http.RoundTripper) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: overhearing{transport}}
}

// secretFields are those whose values must not be written.
var secretFields = []string{
	"email", "password", "newPassword", "code", "emailAddressId", "verificationId", "signInId", "resumeSignInId",
	"sessionToken", "ticket", "refreshToken", "deviceToken",
}

type confidences struct {
	mu      sync.Mutex
	secrets map[string]bool
	written []written
}

// written is what a program wrote in a test, without what can't hold a secret.
type written struct{ test, text string }

// overhearing is a transport whose secrets the transcript has.
type overhearing struct{ transport http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o overhearing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		transcript.hear(body)
	}
	transcript.keep(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	transcript.keep(strings.Trim(req.Header.Get("Idempotency-Key"), `"`))
	for _, cookie := range req.Cookies() {
		transcript.keep(cookie.Value)
	}
	resp, err := o.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	for _, cookie := range resp.Cookies() {
		transcript.keep(cookie.Value)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	transcript.hear(body)
	var answer struct{ Errors json.RawMessage }
	if json.Unmarshal(body, &answer) == nil {
		transcript.wrote(req.URL.Path, string(answer.Errors))
	}
	return resp, nil
}

var (
	addressPattern = regexp.MustCompile(`[0-9A-Za-z.+_-]+@[0-9A-Za-z.-]+`)
	literalPattern = regexp.MustCompile(`\\?"?(?:[pP]assword|code)\\?"?: *\\?"([^"\\]+)\\?"`)
)

// hear keeps the secrets in a body: the values of secret fields, the addresses, and what is spelled out in a document.
func (c *confidences) hear(body []byte) {
	for _, address := range addressPattern.FindAllString(string(body), -1) {
		c.keep(address)
		c.keep(strings.ToLower(address))
	}
	var content any
	if json.Unmarshal(body, &content) != nil {
		return
	}
	if request, ok := content.(map[string]any); ok {
		document, _ := request["query"].(string)
		for _, literal := range literalPattern.FindAllStringSubmatch(document, -1) {
			c.keep(literal[1])
		}
	}
	c.walk(content)
}

func (c *confidences) walk(content any) {
	switch content := content.(type) {
	case []any:
		for _, item := range content {
			c.walk(item)
		}
	case map[string]any:
		for name, value := range content {
			text, isText := value.(string)
			switch {
			case !isText:
				c.walk(value)
			case name == "code" && (content["message"] != nil || content["requestId"] != nil):
				// the code of an error, which is public
			case slices.Contains(secretFields, name):
				c.keep(text)
			}
		}
	}
}

// leastSecret is the length of the shortest secrets that are looked for: mailed codes.
const leastSecret = 6

// keep keeps a secret. Short ones can't be told from the rest of a log.
func (c *confidences) keep(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(secret) >= leastSecret {
		c.secrets[secret] = true
	}
}

// told returns all secrets that were kept so far.
func (c *confidences) told() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.secrets))
}

// wrote keeps what a program wrote in a test, line by line. Of a line of JSON it keeps the texts alone, without the time: among many numbers there
// is every code.
func (c *confidences) wrote(test, text string) {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil {
			kept.WriteString(line)
			continue
		}
		delete(fields, "time")
		for name, value := range fields {
			if _, isNumber := value.(float64); !isNumber {
				fmt.Fprintf(&kept, "%s=%v\n", name, value)
			}
		}
	}
	if kept.Len() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = append(c.written, written{test, kept.String()})
}

// leaked returns the secrets that were written, and in which tests. There are many of them, and much was written: so the text is gone through
// once, and every word in it looked up.
func (c *confidences) leaked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	byStart := map[string][]string{}
	for secret := range c.secrets {
		byStart[secret[:leastSecret]] = append(byStart[secret[:leastSecret]], secret)
	}
	leaks := map[string]bool{}
	for _, w := range c.written {
		for at := 0; at+leastSecret <= len(w.text); at++ {
			if inWord(w.text, at-1) {
				continue
			}
			for _, secret := range byStart[w.text[at:at+leastSecret]] {
				if strings.HasPrefix(w.text[at:], secret) && !inWord(w.text, at+len(secret)) {
					leaks[fmt.Sprintf("%s: %q", w.test, secret)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(leaks))
}

// inWord reports whether a letter or digit is at a place in a text.
func inWord(text string, at int) bool {
	if at < 0 || at >= len(text) {
		return false
	}
	b := text[at]
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z'
}

// TestLeaksAreFound writes secrets, and what looks like some of one.
func TestLeaksAreFound(t *testing.T) {
	c := &confidences{secrets: map[string]bool{}}
	c.hear([]byte(`{"email":"ada@example.com","code":"123456","password":"difference engine","signInId":"v4.local.AAAA"}`))
	for text, leaks := range map[string]int{
		"ada@example.com":                      1,
		"to=<ada@example.com>, code 123456":    2,
		`{"msg":"the difference engine runs"}`: 1,
		`{"n":123456,"time":"123456"}`:         0,
		"sad ada@example.com.":                 1,
		"id 9123456, 1234567 and v4.local.AAA": 0,
		"v4.local.AAAA":                        1,
		"":                                     0,
	} {
		c.written = nil
		c.wrote(t.Name(), text)
		if found := c.leaked(); len(found) != leaks {
			t.Errorf("in %q were found %v", text, found)
		}
	}
}
