package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// TestDoctorFindsWhatProvesNothing has an instance that takes everything for proved, which the embedded Clerk never does: something
// between it and the doctor changes what is asked and answered.
func TestDoctorFindsWhatProvesNothing(t *testing.T) {
	for _, row := range []struct {
		check, says string
		ask         func(path, body string) string
		answer      func(*http.Response)
	}{
		{
			check: "reserved status", says: "is verified, without any proof",
			ask: func(_, body string) string {
				return strings.Replace(body, `,"email_address_identification_status":["reserved"]`, "", 1)
			},
		},
		{
			check: "wrong code", says: "a wrong code is accepted",
			ask: func(_, body string) string { return strings.Replace(body, `"000000"`, `"424242"`, 1) },
		},
		{
			check: "wrong password", says: "a wrong password is accepted",
			answer: func(resp *http.Response) {
				if strings.HasSuffix(resp.Request.URL.Path, "/verify_password") {
					replace(resp, `{"verified":true}`)
				}
			},
		},
		{
			check: "find by address", says: "not found",
			answer: func(resp *http.Response) {
				if resp.Request.Method == http.MethodGet && resp.Request.URL.Path == "/v1/users" {
					replace(resp, "[]")
				}
			},
		},
		{
			check: "session mode", says: "active after it was revoked",
			ask: func(path, body string) string {
				if strings.HasSuffix(path, "/revoke") {
					return "not revoked"
				}
				return body
			},
			answer: func(resp *http.Response) {
				if strings.HasSuffix(resp.Request.URL.Path, "/revoke") {
					replace(resp, `{"object":"session","status":"active"}`)
				}
			},
		},
		{
			check: "second factor", says: "a wrong TOTP code is accepted",
			answer: func(resp *http.Response) {
				if strings.HasSuffix(resp.Request.URL.Path, "/verify_totp") {
					replace(resp, `{"verified":true,"code_type":"totp"}`)
				}
			},
		},
		{
			check: "clock", says: "did not tell the time",
			answer: func(resp *http.Response) { resp.Header.Set("Date", "yesterday") },
		},
		{
			check: "Frontend API", says: "https://clerk.example.com?[2J",
			answer: func(resp *http.Response) {
				if resp.Request.URL.Path == "/v1/domains" {
					replace(resp, `{"data":[{"frontend_api_url":"https://clerk.example.com\u001b[2J"}]}`)
				}
			},
		},
	} {
		t.Run(row.check, func(t *testing.T) {
			clerk := runClerk(t)
			url := between(t, clerk, row.ask, row.answer)
			e := examine(t, clerk, "", "--yes", "--clerk-api-url="+url+"/v1", "--clerk-frontend-api-url="+clerk.Issuer())
			if !slices.Contains(e.with("FAIL"), row.check) || !strings.Contains(e.found[row.check], row.says) {
				t.Errorf("%+v", e)
			}
			nothingLeft(t, clerk)
		})
	}
}

// TestDoctorTriesATicketOfAnAccountWithTOTP has a Frontend API that asks for the second factor when a ticket is redeemed.
func TestDoctorTriesATicketOfAnAccountWithTOTP(t *testing.T) {
	const proxy = "https://app.example.com/__clerk" // what tokens are issued by, whatever the Frontend API's URL is
	clerk := runClerk(t, func(o *clerkemu.Options) { o.Production, o.ProxyURL = true, proxy })
	redeemed := 0
	frontend := between(t, clerk, nil, func(resp *http.Response) {
		if strings.HasSuffix(resp.Request.URL.Path, "/sign_ins") {
			if redeemed++; redeemed == 2 {
				replace(resp, `{"response":{"status":"needs_second_factor"},"client":{"sessions":[]}}`)
			}
		}
	})
	e := examine(t, clerk, "", "--yes", "--session-mode=exchange", "--clerk-frontend-api-url="+frontend, "--clerk-proxy-url="+proxy)
	if !slices.Equal(e.with("FAIL"), []string{"second factor"}) || !strings.Contains(e.found["second factor"], "asks for the second factor again") {
		t.Errorf("%+v", e)
	}
	nothingLeft(t, clerk)
}

// between starts a server that stands in front of an embedded Clerk and changes calls and answers, and returns its URL.
func between(t *testing.T, clerk *clerkemu.Server, ask func(path, body string) string, answer func(*http.Response)) string {
	t.Helper()
	target, err := url.Parse(clerk.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if ask == nil {
				return
			}
			body, _ := io.ReadAll(r.In.Body) // a call that broke off is refused by the embedded Clerk
			changed := ask(r.In.URL.Path, string(body))
			r.Out.Body, r.Out.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
		},
		ModifyResponse: func(resp *http.Response) error {
			if answer != nil {
				answer(resp)
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// replace puts another answer in the place of this one.
func replace(resp *http.Response, body string) {
	resp.StatusCode, resp.ContentLength = http.StatusOK, int64(len(body))
	resp.Header.Del("Content-Length")
	resp.Body = io.NopCloser(bytes.NewReader([]byte(body)))
}
