package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"clerkql/clerkemu"
)

// repeat joins n texts that a format makes of 0, 1, 2 and so on.
func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)) + " ")
	}
	return b.String()
}

// doubling returns a document of n fragments that spread each other twice, so that it selects 2^n fields.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query { __typename }", n)
	return b.String()
}

// nested returns an introspection query whose fields are nested that deep.
func nested(depth int) string {
	return `{ __type(name: "Query") { fields { type ` + strings.Repeat("{ ofType ", depth-4) + "{ name }" + strings.Repeat(" }", depth-4) + " } } }"
}

// TestDocumentLimits has the largest documents that are run, and the smallest that are not.
func TestDocumentLimits(t *testing.T) {
	a := startAPI(t, clerkemu.RunT(t))
	for _, row := range []struct {
		name, fits, tooMuch, says string
	}{
		{"depth", nested(15), nested(16), "nested 15 deep"},
		{"aliases", `{ viewer { ` + repeat(15, "a#: userId") + `} }`, `{ viewer { ` + repeat(16, "a#: userId") + `} }`, "15 aliases"},
		{
			"aliases in a fragment", `{ viewer { ...F } } fragment F on Viewer { ` + repeat(15, "a#: userId") + `}`,
			`{ viewer { ...F } again: viewer { ...F } } fragment F on Viewer { ` + repeat(8, "a#: userId") + `}`, "15 aliases",
		},
		{"fields of Query", `{ ` + repeat(10, "a#: __typename") + `}`, `{ ` + repeat(11, "a#: __typename") + `}`, "10 fields"},
		{"fields of Query in a fragment", `{ ...F } fragment F on Query { ` + repeat(10, "a#: viewer { userId }") + `}`, `{ viewer { userId } ...F } fragment F on Query { ` + repeat(10, "a#: viewer { userId }") + `}`, "10 fields"},
		{"directives", `{ viewer { ` + repeat(15, "userId @include(if: true)") + `} }`, `{ viewer { ` + repeat(16, "userId @include(if: true)") + `} }`, "15 directives"},
		{"directives of fragments", `{ ` + repeat(15, "... @skip(if: false) { __typename }") + `}`, `{ ` + repeat(16, "... @skip(if: false) { __typename }") + `}`, "15 directives"},
		{"selections", doubling(6), doubling(8), "500 fields"},
		{"cost", `{ passwordPolicy { ` + repeat(199, "minLength") + `} }`, `{ passwordPolicy { ` + repeat(200, "minLength") + `} }`, "too much"},
		{"cost of what Clerk is asked for", `{ viewer { sessions { sessionId } } }`, `{ viewer { a: sessions { sessionId } b: sessions { sessionId } } }`, "too much"},
		{"selections without end", doubling(4), doubling(80), "500 fields"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := a.query(t, row.fits, nil, nil); len(got.Errors) > 0 {
				t.Errorf("%s answers %s", row.fits, got.Raw)
			}
			began := time.Now()
			got := a.query(t, row.tooMuch, nil, nil)
			if got.errorCode() != "BAD_REQUEST" || !strings.Contains(got.Errors[0].Message, row.says) {
				t.Errorf("%s answers %s", row.tooMuch, got.Raw)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestMutationsPerRequest has mutations counted as they run: after aliases, fragments and directives.
func TestMutationsPerRequest(t *testing.T) {
	clerk := clerkemu.RunT(t)
	const mutation = `: requestPasswordReset(input: {email: "nobody@example.com"}) { __typename }`
	for _, limit := range []int{1, 3} {
		a := startAPI(t, clerk, fmt.Sprintf("--max-mutations=%d", limit), "--mutation-timeout=10s")
		for name, format := range map[string]string{
			"aliases":       "mutation { __typename %s }",
			"a fragment":    "mutation { ...F } fragment F on Mutation { %s }",
			"not all run":   "mutation { %s ... @skip(if: true) { skipped" + mutation + " } }",
			"two fragments": "mutation { ...F ... on Mutation { m0" + mutation + " } } fragment F on Mutation { %s }",
		} {
			if got := a.query(t, fmt.Sprintf(format, repeat(limit, "m#"+mutation)), nil, nil); len(got.Errors) > 0 || len(got.Data) < limit {
				t.Errorf("%s: %d of %d: %s", name, limit, limit, got.Raw)
			}
			clerk.ResetCalls()
			got := a.query(t, fmt.Sprintf(format, repeat(limit+1, "m#"+mutation)), nil, nil)
			if got.errorCode() != "BAD_REQUEST" || len(clerk.Calls()) > 0 {
				t.Errorf("%s: %d of %d: %s; calls %v", name, limit+1, limit, got.Raw, clerk.Calls())
			}
		}
	}
}

func TestBatchesAreRefused(t *testing.T) {
	a := startAPI(t, clerkemu.RunT(t))
	for _, body := range []string{`[{"query":"{ __typename }"}]`, `[]`, ` [{"query":"{ __typename }"},{"query":"{ __typename }"}]`} {
		got := a.post(t, body, nil)
		if got.Status != 400 || got.errorCode() != "BAD_REQUEST" || !strings.Contains(got.Errors[0].Message, "one operation per request") {
			t.Errorf("%s: status %d, %s", body, got.Status, got.Raw)
		}
	}
}
