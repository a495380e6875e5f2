// Package pseudonym names people and machines without telling who they are: in the keys of budgets, which who reads the memory of a
// process or of Redis gets to see, in the log, and in handles.
package pseudonym

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"net/netip"
	"sync"
)

// KeyBytes is how long the key of a Hasher must be at least, in bytes.
const KeyBytes = 32

// sumBytes is how much of a hash is kept: enough that nobody finds two clients with one pseudonym.
const sumBytes = 16

// Hasher makes pseudonyms. They are keyed hashes, because there are few enough IP addresses, and mail addresses, to try them all with
// any other hash. All are 24 bytes long.
type Hasher struct {
	macs sync.Pool // of hash.Hash: the secret is hashed once for each, and not for each pseudonym
}

// NewHasher returns a Hasher with a secret that it derives from key. Replicas with the same key make the same pseudonyms. It is an error if key
// is shorter than KeyBytes.
func NewHasher(key []byte) (*Hasher, error) {
	if len(key) < KeyBytes {
		return nil, fmt.Errorf("pseudonym: the key must have at least %d bytes, has %d", KeyBytes, len(key))
	}
	secret, err := hkdf.Expand(sha256.New, key, "clerkql: pseudonyms", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("pseudonym: %w", err)
	}
	return &Hasher{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}, nil
}

// IP returns the pseudonym of a client's IP address. A whole /64 of IPv6 is one client, because that is the least that a network gives to
// one. An IPv4 address mapped to IPv6 is the IPv4 address, and all that are unknown, which are the zero Addr, are one client.
func (h *Hasher) IP(addr netip.Addr) string {
	addr = addr.Unmap()
	octets := addr.AsSlice()
	if addr.Is6() {
		octets = octets[:8]
	}
	return h.hash('i', octets)
}

// Identifier returns the pseudonym of what somebody signs in with. The caller normalises it: two spellings are two pseudonyms.
func (h *Hasher) Identifier(normalised string) string { return h.hash('a', []byte(normalised)) }

// Subject returns the pseudonym of what a handle is about, or of the handle.
func (h *Hasher) Subject(id string) string { return h.hash('s', []byte(id)) }

func (h *Hasher) hash(kind byte, text []byte) string {
	mac := h.macs.Get().(hash.Hash)
	defer h.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte{kind})
	mac.Write(text)
	return string([]byte{kind, ':'}) + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:sumBytes])
}
