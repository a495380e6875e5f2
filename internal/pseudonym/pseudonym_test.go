package pseudonym_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"clerkql/internal/pseudonym"
)

func hasher(t testing.TB, octet byte) *pseudonym.Hasher {
	t.Helper()
	h, err := pseudonym.NewHasher(bytes.Repeat([]byte{octet}, pseudonym.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestIP(t *testing.T) {
	h := hasher(t, 1)
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"2001:db8:1:2::1", "2001:db8:2:2::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"0.0.0.0", "::", false},
	} {
		if same := h.IP(netip.MustParseAddr(c.a)) == h.IP(netip.MustParseAddr(c.b)); same != c.same {
			t.Errorf("%s and %s have the same pseudonym: %v", c.a, c.b, same)
		}
	}
	if h.IP(netip.Addr{}) == h.IP(netip.MustParseAddr("0.0.0.0")) {
		t.Error("unknown addresses are not a client of their own")
	}
}

func TestPseudonymsShowNothingAndDoNotMix(t *testing.T) {
	h := hasher(t, 1)
	seen := map[string]bool{}
	for _, name := range []string{
		h.Identifier("ada@example.com"), h.Identifier("bob@example.com"), h.Subject("ada@example.com"), h.IP(netip.MustParseAddr("97.100.97.64")), h.Identifier("ada@"),
		hasher(t, 2).Identifier("ada@example.com"), hasher(t, 2).IP(netip.MustParseAddr("97.100.97.64")),
	} {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		if len(name) != 24 || strings.Contains(name, "ada") || strings.Contains(name, "97") {
			t.Errorf("pseudonym %q", name)
		}
	}
	if h.Identifier("ada@example.com") != hasher(t, 1).Identifier("ada@example.com") {
		t.Error("replicas with the same secret make different pseudonyms")
	}
	if _, err := pseudonym.NewHasher(make([]byte, pseudonym.KeyBytes-1)); err == nil {
		t.Error("a short key was accepted")
	}
}
