package clerksvc

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzEmail holds that what is taken for an address is one in its only form: taken again it is the same, so nobody has two budgets or
// two accounts for one address by how it is written.
func FuzzEmail(f *testing.F) {
	for _, value := range []string{
		"ada@example.com", " ADA@Example.COM\t", "ada+tag@example.com", "Ada <ada@example.com>", `"a b"@example.com`, "ada@[127.0.0.1]",
		"ada@münchen.example", "ada@example.com\x00", "\u0130@example.com", "ada@@example.com", "a@b", strings.Repeat("a", 300) + "@b", "",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var first, second, other fields
		email := first.email(value)
		if first.err() != nil {
			return
		}
		if again := second.email(email); second.err() != nil || again != email {
			t.Errorf("%q is taken as %q, and that as %q, %v", value, email, again, second.err())
		}
		ascii := strings.IndexFunc(email, func(r rune) bool { return r > unicode.MaxASCII }) < 0
		if shouted := other.email(" " + strings.ToUpper(email) + "\n"); ascii && shouted != email {
			t.Errorf("%q in capitals is taken as %q", email, shouted)
		}
		if len(email) > maxEmailBytes || strings.Count(email, "@") != 1 || strings.ContainsAny(email, " \t\r\n,;<>") {
			t.Errorf("%q is taken as %q", value, email)
		}
	})
}
