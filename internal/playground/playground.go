// Package playground serves gqlgen's Playground with a Content-Security-Policy of its own: the page has an inline script and loads
// files from a CDN.
package playground

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/99designs/gqlgen/graphql/playground"
)

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	scriptURL    = regexp.MustCompile(`<script\s+src="([^"]+)"`)
	styleURL     = regexp.MustCompile(`<link\s+rel="stylesheet"\s+href="([^"]+)"`)
)

// Handler returns the page. It is the same every time, so it is made once.
func Handler(title, endpoint string) (http.Handler, error) {
	made := &pageWriter{header: http.Header{}}
	playground.Handler(title, endpoint)(made, &http.Request{Method: http.MethodGet})
	page := made.Bytes()
	policy, err := policyFor(page)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(page)
	}), nil
}

// pageWriter keeps the page that is written to it.
type pageWriter struct {
	bytes.Buffer
	header http.Header
}

// Header implements [http.ResponseWriter].
func (w *pageWriter) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (*pageWriter) WriteHeader(int) {}

// policyFor returns a policy that lets the page have the scripts that it has, each by its hash or its whole URL (a CDN has everybody's
// scripts), and talk to its own origin. GraphiQL's editor makes style elements, which nothing but 'unsafe-inline' lets it do.
func policyFor(page []byte) (string, error) {
	scripts := urls(scriptURL, page)
	for _, match := range inlineScript.FindAllSubmatch(page, -1) {
		hash := sha256.Sum256(match[1])
		scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'")
	}
	styles := urls(styleURL, page)
	if len(scripts) != bytes.Count(page, []byte("<script")) || len(styles) != bytes.Count(page, []byte("<link")) {
		return "", errors.New("the Playground page has something that its Content-Security-Policy does not know of")
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + strings.Join(scripts, " "),
		"style-src 'unsafe-inline' " + strings.Join(styles, " "),
		"connect-src 'self'",
		"font-src data:",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; "), nil
}

func urls(pattern *regexp.Regexp, page []byte) []string {
	var found []string
	for _, match := range pattern.FindAllSubmatch(page, -1) {
		found = append(found, string(match[1]))
	}
	return found
}
