package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// keyed is a mutation with an Idempotency-Key, to be sent more than once.
type keyed struct {
	body   string
	header http.Header
}

func newKeyed(t testing.TB, mutation string, input map[string]any) keyed {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": contract.document(mutation), "variables": map[string]any{"input": input}})
	if err != nil {
		t.Fatal(err)
	}
	return keyed{string(body), http.Header{"Idempotency-Key": {`"` + rand.Text() + `"`}}}
}

// as returns the same with a session token.
func (k keyed) as(sessionToken string) keyed {
	if sessionToken != "" {
		k.header = maps.Clone(k.header)
		k.header["Authorization"] = []string{"Bearer " + sessionToken}
	}
	return k
}

// runs sends it and fails the test unless it was run, and ended with a member.
func (k keyed) runs(t testing.TB, a *api, typename string) (member, answer) {
	t.Helper()
	got := a.post(t, k.body, k.header)
	var result member
	if a.decode(t, got, "result", &result); result.typename() != typename || got.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("answered %s %v, want %s", got.Raw, got.Header, typename)
	}
	return result, got
}

// replays sends it again, and fails the test unless it gets the first answer, for which Clerk was not called.
func (k keyed) replays(t testing.TB, a *api, clerk *clerkemu.Server, first answer) {
	t.Helper()
	clerk.ResetCalls()
	got := a.post(t, k.body, k.header)
	if got.Status != http.StatusOK || got.Raw != first.Raw || got.Header.Get("Idempotency-Replayed") != "true" || !slices.Equal(got.Header["Set-Cookie"], first.Header["Set-Cookie"]) {
		t.Errorf("again: %d %s %v, want %s %v", got.Status, got.Raw, got.Header, first.Raw, first.Header)
	}
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("to answer again took the calls %v", calls)
	}
}

// refused sends it and fails the test unless it is not run, with a status and a code.
func (k keyed) refused(t testing.TB, a *api, status int, code string) answer {
	t.Helper()
	got := a.post(t, k.body, k.header)
	if got.Status != status || got.errorCode() != code || got.Data != nil || got.Errors[0].Extensions["requestId"] != got.Header.Get("X-Request-Id") {
		t.Errorf("%d %s, want %d %s", got.Status, got.Raw, status, code)
	}
	return got
}

// TestEveryMutationIsAnsweredAgain runs each mutation with a key, sends it once more, and then something else with the key.
func TestEveryMutationIsAnsweredAgain(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	token := ""
	seen := map[string]bool{}
	twice := func(typename, mutation string, input map[string]any) member {
		t.Helper()
		k := newKeyed(t, mutation, input).as(token)
		result, first := k.runs(t, a, typename)
		a.log.expect(mutation, result)
		k.replays(t, a, clerk, first)
		other := k
		other.body = strings.Replace(k.body, "mutation Test", "mutation  Test", 1)
		other.refused(t, a, http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED")
		k.replays(t, a, clerk, first)
		seen[mutation] = true
		return result
	}

	started := twice("VerificationRequired", "signUp", map[string]any{"email": email, "password": password})
	firstCode := code(t, clerk, email)
	twice("VerificationSent", "resendVerification", map[string]any{"emailAddressId": started["emailAddressId"]})
	if mails := clerk.Mail(email); len(mails) != 2 {
		t.Errorf("%d mails", len(mails))
	}
	verify := map[string]any{"emailAddressId": started["emailAddressId"], "verificationId": started["verificationId"], "code": wrong(firstCode)}
	twice("InvalidCode", "verifyEmail", verify)
	verify["code"] = firstCode
	twice("SessionCreated", "verifyEmail", verify)
	twice("SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	twice("InvalidCredentials", "signIn", map[string]any{"email": email, "password": "not the password"})
	sent := twice("PasswordResetSent", "requestPasswordReset", map[string]any{"email": email})
	session := twice("SessionCreated", "resetPassword", map[string]any{"signInId": sent["signInId"], "code": code(t, clerk, email), "newPassword": newPassword})
	other := a.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": newPassword})
	twice("SessionRefreshed", "refreshSession", map[string]any{"refreshToken": session["refreshToken"]})
	token = session.text("sessionToken")
	a.viewer(t, bearer(token)) // has the server fetch the keys, once
	twice("SessionRevoked", "revokeSession", map[string]any{"sessionId": other["sessionId"]})
	twice("SignedOutEverywhere", "signOutEverywhere", nil)
	token = ""
	twice("SignedOut", "signOut", map[string]any{"refreshToken": session["refreshToken"]})

	a = startAPI(t, clerk, "--new-device-check=email_code")
	half := twice("SecondFactorRequired", "signIn", map[string]any{"email": email, "password": newPassword})
	mailed := twice("SecondFactorPrepared", "prepareSecondFactor", map[string]any{"signInId": half["signInId"], "strategy": "EMAIL_CODE"})
	twice("SessionCreated", "attemptSecondFactor", attempt(mailed["signInId"], "EMAIL_CODE", code(t, clerk, email)))
	for _, field := range contract.schema.Mutation.Fields {
		if !seen[field.Name] {
			t.Errorf("%s was not tried", field.Name)
		}
	}
}

// TestWhatMakesARequestTheSame: what it asks for, and who asks, however it is written.
func TestWhatMakesARequestTheSame(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	seed(t, clerk, ada())
	const document = `mutation A($a: String!, $b: String!) { result: signIn(input: {email: $a, password: $b}) { __typename } } mutation B { result: signOutEverywhere { __typename } }`
	k := keyed{fmt.Sprintf(`{"query":%q,"operationName":"A","variables":{"a":%q,"b":%q}}`, document, email, password), http.Header{"Idempotency-Key": {`"a key of the tests"`}}}
	_, first := k.runs(t, a, "SessionCreated")
	with := func(body string, header http.Header) keyed {
		header = maps.Clone(header)
		if header["Idempotency-Key"] == nil {
			header["Idempotency-Key"] = k.header["Idempotency-Key"]
		}
		return keyed{body, header}
	}
	for name, same := range map[string]keyed{
		"the order of fields":    with(fmt.Sprintf(`{"variables": {"b":%q,"a":%q}, "operationName":"A", "query":%q, "extensions":{}}`, password, email, document), http.Header{}),
		"escapes":                with(strings.Replace(k.body, "ada@", `\u0061da\u0040`, 1), http.Header{}),
		"other headers":          with(k.body, http.Header{"Accept": {"application/graphql-response+json"}, "User-Agent": {"curl/8"}, "X-Request-Id": {"7f3a99"}}),
		"a cookie of nobody's":   with(k.body, http.Header{"Cookie": {"__Host-clerkql_session=a; b=c"}}), // of a server without cookies
		"escapes within the key": with(k.body, http.Header{"Idempotency-Key": {`"a key of the tests"`}}),
	} {
		t.Run(name, func(t *testing.T) { same.replays(t, a, clerk, first) })
	}
	for name, other := range map[string]keyed{
		"another document":  with(strings.Replace(k.body, "__typename", "__typename ", 1), http.Header{}),
		"another operation": with(strings.Replace(k.body, `"A"`, `"B"`, 1), http.Header{}),
		"another variable":  with(strings.Replace(k.body, password, newPassword, 1), http.Header{}),
		"one variable more": with(strings.Replace(k.body, `"variables":{`, `"variables":{"c":1,`, 1), http.Header{}),
		"somebody else":     with(k.body, bearer("a-token-of-nobodys")),
	} {
		t.Run(name, func(t *testing.T) { other.refused(t, a, http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED") })
	}
}

// TestKeysThatAreNone has keys that are refused before anything is done, and keys that are not.
func TestKeysThatAreNone(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	seed(t, clerk, ada())
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	for _, keys := range [][]string{
		{""},
		{`""`},
		{"short"},
		{`"fifteen letters"`},
		{`"no end of the key`},
		{`no beginning of it"`},
		{`"a key with "quotes""`},
		{`"a key with an escape\n"`},
		{"a bare key with spaces"},
		{`"a key of two kéys"`},
		{"a-key-of-two-kéys"},
		{`"a key with parameters";a=1`},
		{`"` + strings.Repeat("a", 129) + `"`},
		{strings.Repeat("a", 129)},
		{`"a key of two keys"`, `"a key of two keys"`},
		{`"a key of two keys", "a key of two keys"`},
		{"a-key-of-two-keys,a-key-of-two-keys"},
	} {
		k.header = http.Header{"Idempotency-Key": keys}
		clerk.ResetCalls()
		k.refused(t, a, http.StatusBadRequest, "BAD_REQUEST")
		if calls := clerk.Calls(); len(calls) > 0 {
			t.Errorf("%q: calls %v", keys, calls)
		}
		query := a.post(t, `{"query":"{ __typename }"}`, k.header)
		if len(query.Errors) > 0 {
			t.Errorf("queries do not ignore %q: %s", keys, query.Raw)
		}
	}
	for quoted, bare := range map[string]string{
		`"8e03978e-40d5-43dd-bc93-6894a57f9324"`: "8e03978e-40d5-43dd-bc93-6894a57f9324",
		`"` + strings.Repeat("a", 16) + `"`:      strings.Repeat("a", 16),
		`"` + strings.Repeat("~", 128) + `"`:     strings.Repeat("~", 128),
		`"a \"key\" of\\ ours"`:                  "",
		`"sp aces/and=+signs.:"`:                 "",
	} {
		k.header = http.Header{"Idempotency-Key": {quoted}}
		_, first := k.runs(t, a, "SessionCreated")
		k.replays(t, a, clerk, first)
		if bare != "" {
			k.header = http.Header{"Idempotency-Key": {bare}}
			k.replays(t, a, clerk, first)
		}
	}
}

// TestAnswersThatPassAreNotKept: what could not be done is tried again.
func TestAnswersThatPassAreNotKept(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk)
	seed(t, clerk, ada())
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	fail := func() { // a call that the server does not repeat
		inject(t, clerk, clerkemu.Fault{Operation: "createSession", Kind: clerkemu.FaultStatus, Status: 500, Times: 1})
	}
	fail()
	k.runs(t, a, "ServiceUnavailable")
	_, first := k.runs(t, a, "SessionCreated")
	k.replays(t, a, clerk, first)

	l := limited(t, clerk, "--limit-sign-ins-per-ip=1/1s")
	k = newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	l.want(t, "SessionCreated", "signIn", map[string]any{"email": email, "password": password})
	k.runs(t, l, "RateLimited")
	for {
		got := l.post(t, k.body, k.header)
		if strings.Contains(got.Raw, `"SessionCreated"`) {
			k.replays(t, l, clerk, got)
			break
		}
		if !strings.Contains(got.Raw, `"RateLimited"`) || got.Header.Get("Idempotency-Replayed") != "" {
			t.Fatal(got.Raw)
		}
	}

	// What is no mutation of the schema was not run.
	k = newKeyed(t, "signIn", map[string]any{"email": email})
	k.refused(t, a, http.StatusOK, "GRAPHQL_VALIDATION_FAILED")
	k.body = newKeyed(t, "signIn", map[string]any{"email": email, "password": password}).body
	k.runs(t, a, "SessionCreated")
}

// TestAKeyIsForOneMutation: of several, some could have ended and some not, and then neither to answer alike nor to run all of them again is right.
func TestAKeyIsForOneMutation(t *testing.T) {
	clerk := clerkemu.RunT(t)
	a := startAPI(t, clerk, "--max-mutations=2")
	seed(t, clerk, ada())
	signIn := fmt.Sprintf(`signIn(input: {email: %q, password: %q}) { __typename }`, email, password)
	keyedBody := func(document string) keyed {
		body, err := json.Marshal(map[string]any{"query": document})
		if err != nil {
			t.Fatal(err)
		}
		return keyed{string(body), http.Header{"Idempotency-Key": {rand.Text()}}}
	}
	two := keyedBody("mutation { result: " + signIn + " b: " + signIn + " }")
	two.refused(t, a, http.StatusBadRequest, "BAD_REQUEST")
	if calls := clerk.Calls(); len(calls) > 0 {
		t.Errorf("calls %v", calls)
	}
	one := keyedBody("mutation { __typename result: " + signIn + " ... @skip(if: true) { b: " + signIn + " } }")
	_, first := one.runs(t, a, "SessionCreated")
	one.replays(t, a, clerk, first)
}

// TestCookiesAreSetAgain has a browser whose answer got lost, and with it the cookies.
func TestCookiesAreSetAgain(t *testing.T) {
	clerk := clerkemu.RunT(t)
	b := startBrowser(t, clerk)
	seed(t, clerk, ada())
	k := newKeyed(t, "signIn", map[string]any{"email": email, "password": password})
	_, first := k.runs(t, b.api, "SessionCreated")
	if len(first.Header["Set-Cookie"]) != 2 {
		t.Fatalf("%v", first.Header)
	}
	k.replays(t, b.api, clerk, first)
	for _, cookie := range []string{"__Host-clerkql_session", "__Host-clerkql_refresh", "__Host-clerkql_device"} {
		k.header["Cookie"] = []string{cookie + "=somebody's"}
		k.refused(t, b.api, http.StatusUnprocessableEntity, "IDEMPOTENCY_KEY_REUSED")
	}
	k.header["Cookie"] = []string{"theme=dark"}
	k.replays(t, b.api, clerk, first)
}
