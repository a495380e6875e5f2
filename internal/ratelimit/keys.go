package ratelimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
)

// KeyBytes is how long the secret of Keys must be at least, in bytes.
const KeyBytes = 32

// sumBytes is how much of a hash is kept: enough that nobody finds two clients with one key.
const sumBytes = 16

// Keys makes the keys of charges out of what must not be readable in them. They are keyed hashes, because there are few enough IP
// addresses, and mail addresses, to try them all with any other hash. All are 24 bytes long. What is limited is up to the caller to put before them.
type Keys struct{ secret []byte }

// NewKeys returns Keys with a secret, which all replicas must share, and which no other use should have. It is an error if the secret is
// shorter than KeyBytes.
func NewKeys(secret []byte) (*Keys, error) {
	if len(secret) < KeyBytes {
		return nil, fmt.Errorf("ratelimit: the secret must have at least %d bytes, has %d", KeyBytes, len(secret))
	}
	return &Keys{secret: secret}, nil
}

// IP returns the key of a client's IP address. A whole /64 of IPv6 is one client, because that is the least that a network gives to one. An
// IPv4 address mapped to IPv6 is the IPv4 address, and all that are unknown, which are the zero Addr, are one client.
func (k *Keys) IP(addr netip.Addr) string {
	addr = addr.Unmap()
	octets := addr.AsSlice()
	if addr.Is6() {
		octets = octets[:8]
	}
	return k.hash('i', octets)
}

// Identifier returns the key of what somebody signs in with. The caller normalises it: two spellings are two keys.
func (k *Keys) Identifier(normalised string) string { return k.hash('a', []byte(normalised)) }

// Subject returns the key of whose a handle is.
func (k *Keys) Subject(id string) string { return k.hash('s', []byte(id)) }

func (k *Keys) hash(kind byte, text []byte) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte{kind})
	mac.Write(text)
	return string([]byte{kind, ':'}) + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:sumBytes])
}
