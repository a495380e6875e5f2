package clerkemu

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/segmentio/ksuid"
)

// Prefixes of ids. Clerk's ids are a prefix and a 27 character KSUID. The
// prefixes of verification and activity ids are inferred [I].
const (
	prefixUser         = "user_"
	prefixEmailAddress = "idn_"
	prefixVerification = "ver_"
	prefixSession      = "sess_"
	prefixSignInToken  = "sit_"
	prefixClient       = "client_"
	prefixSignIn       = "sia_"
	prefixActivity     = "sess_activity_"
	prefixInstance     = "ins_"
	prefixDomain       = "dmn_"
)

func newID(prefix string) string { return prefix + ksuid.New().String() }

// newTraceID makes a value for Clerk-Trace-Id.
func newTraceID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: see the package crypto/rand
	return hex.EncodeToString(b[:])
}
