package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// TestSecurityHeaders has the headers of every kind of answer.
func TestSecurityHeaders(t *testing.T) {
	a := startAPI(t, clerkemu.RunT(t), "--trusted-proxies=127.0.0.0/8")
	base := strings.TrimSuffix(a.url, "/graphql")
	for path, page := range map[string]bool{"/graphql?query=%7B__typename%7D": false, "/graphql": false, "/healthz": false, "/readyz": false, "/nothing": false, "/": true} {
		for _, proto := range []string{"", "https"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Forwarded-Proto", proto)
			resp, err := httpClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
				"Strict-Transport-Security": "",
			}
			if proto == "https" {
				want["Strict-Transport-Security"] = "max-age=31536000"
			}
			if page {
				want["Content-Security-Policy"] = resp.Header.Get("Content-Security-Policy")
				checkPlayground(t, want["Content-Security-Policy"], string(body))
			}
			for header, value := range want {
				if got := resp.Header[header]; strings.Join(got, "|") != value {
					t.Errorf("%s: %s: %q, want %q", path, header, got, value)
				}
			}
		}
	}
}

// checkPlayground holds that a page's policy lets in all the scripts of the page, and no others.
func checkPlayground(t testing.TB, policy, page string) {
	t.Helper()
	directives := map[string][]string{}
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(directive)
		directives[words[0]] = words[1:]
	}
	for name, want := range map[string]string{
		"default-src": "'none'", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
	} {
		if got := strings.Join(directives[name], " "); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
	scripts := regexp.MustCompile(`(?s)<script(.*?)>(.*?)</script>`).FindAllStringSubmatch(page, -1)
	var want []string
	for _, script := range scripts {
		if source := regexp.MustCompile(`src="(.*?)"`).FindStringSubmatch(script[1]); source != nil {
			want = append(want, source[1])
			continue
		}
		hash := sha256.Sum256([]byte(script[2]))
		want = append(want, "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'")
	}
	if got := strings.Join(directives["script-src"], " "); got != strings.Join(want, " ") || len(want) < 2 {
		t.Errorf("script-src is %s, want %s", got, want)
	}
}
