package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"clerkql/clerkemu"
)

// auditChecks is how many checks the pinned version of the audit has, so that one that stops early is noticed.
const auditChecks = 61

// TestGraphQLOverHTTP runs the public audit of the specification GraphQL over HTTP, with every MUST, SHOULD and MAY of it. The audit is
// JavaScript: `make deps` installs it. It tries variables on __type, so the server has to tell its schema.
func TestGraphQLOverHTTP(t *testing.T) {
	for _, needed := range []func() error{
		func() error { _, err := exec.LookPath("node"); return err },
		func() error { _, err := os.Stat("audit/node_modules/graphql-http"); return err },
	} {
		if err := needed(); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("the audit is not installed:", err)
			}
			fmt.Fprintln(os.Stderr, "*** SKIPPED: the audit of GraphQL over HTTP needs Node.js and its packages. Run: make deps ***")
			t.Skip(err)
		}
	}
	for name, flags := range map[string][]string{
		"with the Playground": nil,
		"with cookies":        {"--session-cookies"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startAPI(t, clerkemu.RunT(t), flags...)
			audit := exec.CommandContext(t.Context(), "node", "audit.mjs", a.url)
			audit.Dir, audit.Stderr = "audit", os.Stderr
			out, err := audit.Output()
			if err != nil {
				t.Fatal(err)
			}
			checks := 0
			for line := range bytes.Lines(out) {
				var check struct{ ID, Name, Status, Reason string }
				if err := json.Unmarshal(line, &check); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				if checks++; check.Status != "ok" {
					t.Errorf("%s %s: %s: %s", check.ID, check.Name, check.Status, strings.TrimSpace(check.Reason))
				}
			}
			if checks != auditChecks {
				t.Errorf("the audit has %d checks, want %d", checks, auditChecks)
			}
		})
	}
}
