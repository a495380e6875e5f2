package ratelimit_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"clerkql/internal/ratelimit"
)

func keys(t testing.TB, octet byte) *ratelimit.Keys {
	t.Helper()
	k, err := ratelimit.NewKeys(bytes.Repeat([]byte{octet}, ratelimit.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestIPKeys(t *testing.T) {
	k := keys(t, 1)
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
		if same := k.IP(netip.MustParseAddr(c.a)) == k.IP(netip.MustParseAddr(c.b)); same != c.same {
			t.Errorf("%s and %s have the same key: %v", c.a, c.b, same)
		}
	}
	if k.IP(netip.Addr{}) == k.IP(netip.MustParseAddr("0.0.0.0")) {
		t.Error("unknown addresses are not a client of their own")
	}
}

func TestKeysShowNothingAndDoNotMix(t *testing.T) {
	k := keys(t, 1)
	seen := map[string]bool{}
	for _, key := range []string{
		k.Identifier("ada@example.com"), k.Identifier("bob@example.com"), k.Subject("ada@example.com"), k.IP(netip.MustParseAddr("97.100.97.64")), k.Identifier("ada@"),
		keys(t, 2).Identifier("ada@example.com"), keys(t, 2).IP(netip.MustParseAddr("97.100.97.64")),
	} {
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if len(key) != 24 || strings.Contains(key, "ada") || strings.Contains(key, "97") {
			t.Errorf("key %q", key)
		}
	}
	if k.Identifier("ada@example.com") != keys(t, 1).Identifier("ada@example.com") {
		t.Error("replicas with the same secret make different keys")
	}
	if _, err := ratelimit.NewKeys(make([]byte, ratelimit.KeyBytes-1)); err == nil {
		t.Error("a short secret was accepted")
	}
}
