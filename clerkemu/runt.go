package clerkemu

import (
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// RunT starts an embedded Clerk for a test and closes it when the test ends.
// Its defaults suit tests: the cheapest password hashes, no rate limits and no
// wait between two codes. Each opts function may change them.
func RunT(t testing.TB, opts ...func(*Options)) *Server {
	t.Helper()
	options := Options{BcryptCost: bcrypt.MinCost, RateLimit: -1, SignInRateLimit: -1, ResendInterval: -1}
	for _, change := range opts {
		change(&options)
	}
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("clerkemu: close: %v", err)
		}
	})
	return s
}
