package config_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"clerkql/internal/config"
)

var key = strings.Repeat("0a", 32)

func parse(t *testing.T, args ...string) (*config.CommandLine, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	line, err := config.Parse(args, &stdout, &stderr)
	if stdout.Len()+stderr.Len() > 0 {
		t.Errorf("Parse wrote %s%s", &stdout, &stderr)
	}
	return line, err
}

// TestFlagsAndEnvironment has every setting read from a flag, from the environment, and from the flag where both are set.
func TestFlagsAndEnvironment(t *testing.T) {
	one, two := manifest(t, "{ viewer { userId } }"), manifest(t, "{ __typename }")
	settings := []struct{ env, flag, value, other string }{
		{"ADDR", "--addr", "127.0.0.1:1", "127.0.0.1:2"},
		{"TRUSTED_PROXIES", "--trusted-proxies", "10.0.0.0/8,192.0.2.0/24", "198.51.100.0/24"},
		{"ALLOWED_ORIGINS", "--allowed-origins", "https://a.example.com,http://localhost:3000", "https://b.example.com"},
		{"TRUSTED_DOCUMENTS", "--trusted-documents", one, two},
		{"SHUTDOWN_DELAY", "--shutdown-delay", "5s", "6s"},
		{"SHUTDOWN_TIMEOUT", "--shutdown-timeout", "7s", "8s"},
		{"LOG_LEVEL", "--log-level", "warn", "error"},
		{"LOG_FORMAT", "--log-format", "json", "text"},
		{"SESSION_MODE", "--session-mode", "ticket", "session"},
		{"SESSION_COOKIES", "--session-cookies", "false", "true"},
		{"NEW_DEVICE_CHECK", "--new-device-check", "email_code", "off"},
		{"SIGN_UP_DISCLOSURE", "--sign-up-disclosure", "strict", "open"},
		{"TICKET_LIFE", "--ticket-life", "20s", "30s"},
		{"ANSWER_FLOOR", "--answer-floor", "1s", "0s"},
		{"REDIS_URL", "--redis-url", "redis://127.0.0.1:1/0", "redis://127.0.0.1:2/0"},
		{"LIMIT_REQUESTS_PER_IP", "--limit-requests-per-ip", "1/1m", "2/1m"},
		{"LIMIT_REQUESTS_PER_SESSION", "--limit-requests-per-session", "1/1m", "2/1m"},
		{"LIMIT_SIGN_INS_PER_IP", "--limit-sign-ins-per-ip", "3/1m", "4/1m"},
		{"LIMIT_SIGN_INS_PER_ADDRESS", "--limit-sign-ins-per-address", "5/1m", "6/1m"},
		{"LIMIT_SIGN_UPS_PER_IP", "--limit-sign-ups-per-ip", "7/1m", "8/1m"},
		{"LIMIT_MAILS_PER_IP", "--limit-mails-per-ip", "1/1m", "2/1m"},
		{"LIMIT_MAIL_PAUSE", "--limit-mail-pause", "9/1m", "10/1m"},
		{"LIMIT_MAILS_PER_ADDRESS", "--limit-mails-per-address", "11/1m", "12/1m"},
		{"LIMIT_MAILS", "--limit-mails", "13/1m", "14/1m"},
		{"LIMIT_CODES_PER_HANDLE", "--limit-codes-per-handle", "15/1h30m", "16/24h"},
		{"PASSWORD_MIN_LENGTH", "--password-min-length", "10", "11"},
		{"PASSWORD_MAX_LENGTH", "--password-max-length", "60", "61"},
		{"PASSWORD_MIN_STRENGTH", "--password-min-strength", "3", "0"},
		{"PASSWORD_FORBIDDEN_WORDS", "--password-forbidden-words", "acme,coyote", "roadrunner"},
		{"AUTHORIZED_PARTIES", "--authorized-parties", "https://a.example.com,https://b.example.com", "https://c.example.com"},
		{"CLERK_TIMEOUT", "--clerk-timeout", "2s", "3s"},
		{"CLERK_RATE_LIMIT", "--clerk-rate-limit", "500/10s", "250/10s"},
		{"CLERK_CONCURRENCY", "--clerk-concurrency", "99", "98"},
		{"MUTATION_TIMEOUT", "--mutation-timeout", "9s", "10s"},
		{"MAX_MUTATIONS", "--max-mutations", "5", "2"},
		{"CLERK_SECRET_KEY", "--clerk-secret-key", "sk_live_1", "sk_live_2"},
		{"HANDLE_KEYS", "--handle-keys", key + "," + strings.Repeat("0b", 32), strings.Repeat("0c", 32)},
		{"CLERK_API_URL", "--clerk-api-url", "https://clerk.example.com/v1", "http://127.0.0.1:8090/v1"},
		{"CLERK_FRONTEND_API_URL", "--clerk-frontend-api-url", "http://127.0.0.1:8090", "http://127.0.0.1:8091"},
		{"CLERK_PROXY_URL", "--clerk-proxy-url", "https://example.com/__clerk", "https://example.org/__clerk"},
		{"CODE_ATTEMPTS", "--code-attempts", "3", "4"},
		{"PLAYGROUND", "--playground", "true", "false"},
	}
	flags := []string{"serve"}
	for _, s := range settings {
		flags = append(flags, s.flag+"="+s.value)
	}
	fromFlags, err := parse(t, flags...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		t.Setenv(s.env, s.value)
	}
	fromEnvironment, err := parse(t, "serve")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fromFlags.Serve, fromEnvironment.Serve) {
		t.Errorf("flags gave\n%+v\nthe environment\n%+v", fromFlags.Serve, fromEnvironment.Serve)
	}
	for _, s := range settings {
		t.Setenv(s.env, s.other)
	}
	if fromBoth, err := parse(t, flags...); err != nil || !reflect.DeepEqual(fromFlags.Serve, fromBoth.Serve) {
		t.Errorf("with other values in the environment, flags gave %+v, %v", fromBoth.Serve, err)
	}

	serve := fromFlags.Serve
	if len(serve.TrustedProxies) != 2 || serve.TrustedProxies[1] != netip.MustParsePrefix("192.0.2.0/24") ||
		serve.PasswordMinStrength != 3 || len(serve.PasswordForbiddenWords) != 2 ||
		serve.ShutdownDelay != 5*time.Second || serve.ShutdownTimeout != 7*time.Second || len(serve.Keys()) != 2 || serve.Keys()[1][0] != 0x0b || !serve.Playground ||
		len(serve.TrustedDocuments) != 1 || serve.TrustedDocuments[hash("{ viewer { userId } }")] != "{ viewer { userId } }" {
		t.Errorf("read as %+v", serve)
	}
	if printed := fmt.Sprintf("%+v %#v", serve, serve); strings.Contains(printed, "sk_live_1") || strings.Contains(printed, key) {
		t.Errorf("the settings print their secrets: %s", printed)
	}
}

func TestProblemsAreToldTogether(t *testing.T) {
	_, err := parse(t, "serve", "--handle-keys="+key+",short,"+key+"0", "--clerk-api-url=http://example.com", "--clerk-frontend-api-url=nonsense",
		"--code-attempts=-1", "--clerk-timeout=-1s", "--shutdown-delay=-1s", "--shutdown-timeout=0s")
	if err == nil {
		t.Fatal("no problem was found")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{"SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT", "CLERK_TIMEOUT", "CLERK_SECRET_KEY", "key 2", "key 3", "CLERK_API_URL", "CLERK_FRONTEND_API_URL", "CODE_ATTEMPTS"} {
		named := 0
		for _, line := range lines {
			if strings.Contains(line, want) {
				named++
			}
		}
		if named == 0 {
			t.Errorf("%s is not named in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), key) {
		t.Errorf("a key is repeated in:\n%v", err)
	}
}

func TestClerkAPIURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://api.clerk.com/v1":    true,
		"http://127.0.0.1:8090/v1":    true,
		"http://[::1]:8090/v1":        true,
		"http://localhost:8090/v1":    true,
		"http://api.clerk.com/v1":     false,
		"https://api.clerk.com":       false,
		"http://127.0.0.1.example.co": false,
		"ftp://api.clerk.com":         false,
		"api.clerk.com":               false,
		"":                            false,
	} {
		_, err := parse(t, "serve", "--clerk-secret-key=sk_test_1", "--handle-keys="+key, "--clerk-api-url="+url)
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAllowedOrigins(t *testing.T) {
	for origin, ok := range map[string]bool{
		"https://app.example.com":        true,
		"https://app.example.com:8443":   true,
		"http://localhost:3000":          true,
		"http://127.0.0.1":               true,
		"http://[::1]:3000":              true,
		"https://xn--bcher-kva.example":  true,
		"*":                              false,
		"https://*.example.com":          false,
		"null":                           false,
		"http://app.example.com":         false,
		"http://localhost.example.com":   false,
		"https://app.example.com/":       false,
		"https://app.example.com/path":   false,
		"https://app.example.com?a":      false,
		"https://app.example.com#":       false,
		"https://ada@app.example.com":    false,
		"https://App.example.com":        false,
		"https://app.example.com:443":    false,
		"http://localhost:80":            false,
		"https://app.example.com:":       false,
		"https://bücher.example":         false,
		"https://":                       false,
		"https://:8443":                  false,
		"app.example.com":                false,
		"file://app.example.com":         false,
		"chrome-extension://abcdefghijk": false,
		"https://a.example.com,*":        false,
	} {
		_, err := parse(t, "serve", "--clerk-secret-key=sk_test_1", "--handle-keys="+key, "--allowed-origins="+origin)
		if (err == nil) != ok {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

func hash(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// manifest writes a manifest of trusted documents and returns its path.
func manifest(t *testing.T, documents ...string) string {
	t.Helper()
	byHash := map[string]string{}
	for _, document := range documents {
		byHash[hash(document)] = document
	}
	text, err := json.Marshal(byHash)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, string(text))
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "documents.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTrustedDocuments(t *testing.T) {
	for name, row := range map[string]struct{ path, says string }{
		"good":            {manifest(t, "{ __typename }", "{ viewer { userId } }"), ""},
		"no file":         {filepath.Join(t.TempDir(), "nothing"), "no such file"},
		"a folder":        {t.TempDir(), "is a directory"},
		"not JSON":        {file(t, "{ __typename }"), "JSON object"},
		"another shape":   {file(t, `["{ __typename }"]`), "JSON object"},
		"null":            {file(t, `null`), "no documents"},
		"empty":           {file(t, `{}`), "no documents"},
		"a wrong hash":    {file(t, `{"`+hash("{ viewer { userId } }")+`":"{ __typename }"}`), hash("{ __typename }")},
		"no hash":         {file(t, `{"viewer":"{ __typename }"}`), "viewer"},
		"in capitals":     {file(t, `{"`+strings.ToUpper(hash("{ __typename }"))+`":"{ __typename }"}`), hash("{ __typename }")},
		"far too large":   {file(t, `{"a":"`+strings.Repeat(" ", 4<<20)+`"}`), "larger than"},
		"as large as can": {manifest(t, "{ __typename }"+strings.Repeat(" ", 4<<20-100)), ""},
	} {
		_, err := parse(t, "serve", "--clerk-secret-key=sk_test_1", "--handle-keys="+key, "--trusted-documents="+row.path)
		if (err == nil) != (row.says == "") || err != nil && (!strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), "trusted-documents")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPasswordSettings(t *testing.T) {
	for _, row := range []struct {
		flags string
		names string // what the problem names; "" for none
	}{
		{"--password-min-length=8 --password-max-length=8", ""},
		{"--password-min-length=72", ""},
		{"--password-min-strength=0", ""},
		{"--password-min-strength=4", ""},
		{"--password-forbidden-words=acme,größe", ""},
		{"--password-forbidden-words=" + strings.Repeat("acme,", 99) + "acme", ""},
		{"--password-min-length=7", "PASSWORD_MIN_LENGTH"},
		{"--password-min-length=73 --password-max-length=73", "PASSWORD_MIN_LENGTH"},
		{"--password-max-length=73", "PASSWORD_MAX_LENGTH"},
		{"--password-min-length=20 --password-max-length=19", "PASSWORD_MAX_LENGTH"},
		{"--password-min-strength=-1", "PASSWORD_MIN_STRENGTH"},
		{"--password-min-strength=5", "PASSWORD_MIN_STRENGTH"},
		{"--password-forbidden-words=acme,acm", "word 2 "},
		{"--password-forbidden-words=acme,äöü", "word 2 "},
		{"--password-forbidden-words=acme,\u00a0acme", "word 2 "},
		{"--password-forbidden-words=" + strings.Repeat("acme,", 100) + "acme", "PASSWORD_FORBIDDEN_WORDS"},
	} {
		_, err := parse(t, append([]string{"serve", "--clerk-secret-key=sk_test_1", "--handle-keys=" + key}, strings.Split(row.flags, " ")...)...)
		if (err == nil) != (row.names == "") || err != nil && !strings.Contains(err.Error(), row.names) {
			t.Errorf("%s: %v", row.flags, err)
		}
	}
}
