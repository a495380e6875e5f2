// Package seal makes handles: the opaque ids that a client carries from one step of a flow to the next.
//
// The server keeps no state between two steps. What it has to remember (whose step this is, which of
// Clerk's ids belong to it, what has been proved so far) is encrypted into the handle itself, so any
// replica can serve any step and a restart loses nothing. A handle is a PASETO v4.local token:
// XChaCha20 with a keyed BLAKE2b tag, no algorithm to negotiate.
//
//   - Purpose. A handle is sealed for one purpose, and the purpose is an input to the tag (PASETO's
//     implicit assertion). A handle of one purpose is therefore not merely rejected for another, it
//     does not decrypt.
//   - Expiry. Each handle carries its own, and Open tells an expired handle from an invalid one.
//   - Keys. The first key seals, all keys open, so that keys can be rotated: put the new key first,
//     and drop the old one when the last handle sealed with it has expired.
//   - Length. All handles have the same, so that only the holder of a key can tell what one is about, and
//     whether it is about anything.
package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"aidanwoods.dev/go-paseto"
)

// Purpose says what a handle is good for.
type Purpose string

// Errors of Open. They are deliberately few: a caller learns nothing about why a handle is invalid.
var (
	// ErrInvalid: not a handle of ours, altered, cut short, or of another purpose.
	ErrInvalid = errors.New("seal: invalid handle")
	// ErrExpired: a handle of ours for this purpose, but too old.
	ErrExpired = errors.New("seal: expired handle")
)

const (
	// KeyBytes is the length of a key in bytes.
	KeyBytes = 32
	// MaxKeys bounds the keys of a Keyring, and with them the work that Open does for an invalid handle.
	MaxKeys = 8

	// payloadBytes is the length to which every payload is padded. The longest content that clerksvc seals takes about 260
	// bytes, to which the claims add about 60.
	payloadBytes = 384
	// handleBytes is what a payload of that length becomes: header, then base64 of nonce, payload and tag.
	handleBytes = len(header) + ((payloadBytes+64)*8+5)/6
	header      = "v4.local."
)

// The claims of the PASETO token inside a handle.
const (
	claimContent = "c"
	claimPadding = "p"
)

// Keyring seals and opens handles. It is safe for concurrent use.
type Keyring struct {
	keys []paseto.V4SymmetricKey
	now  func() time.Time
}

// NewKeyring returns a Keyring whose first key seals and whose keys all open. now is the clock that
// expiry is measured with. It is an error to give no key, more than MaxKeys, or a key that is not
// KeyBytes long.
func NewKeyring(now func() time.Time, keys ...[]byte) (*Keyring, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("seal: need 1 to %d keys, got %d", MaxKeys, len(keys))
	}
	k := &Keyring{now: now}
	for i, key := range keys {
		symmetric, err := paseto.V4SymmetricKeyFromBytes(key)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d must have %d bytes, has %d", i+1, KeyBytes, len(key))
		}
		k.keys = append(k.keys, symmetric)
	}
	return k, nil
}

// RandomKey returns a new key.
func RandomKey() []byte { return paseto.NewV4SymmetricKey().ExportBytes() }

// Seal returns a handle that carries content, which must marshal to JSON, until expires (to the second).
func (k *Keyring) Seal(purpose Purpose, content any, expires time.Time) (string, error) {
	token, err := paseto.MakeToken(map[string]any{
		claimContent: content,
		claimPadding: "",
	}, nil)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	token.SetExpiration(expires.UTC())
	room := payloadBytes - len(token.ClaimsJSON())
	if room < 0 {
		return "", fmt.Errorf("seal: content for %q is %d bytes too long", purpose, -room)
	}
	token.SetString(claimPadding, strings.Repeat("-", room))
	return token.V4Encrypt(k.keys[0], []byte(purpose)), nil
}

// Open reads what Seal put into a handle of this purpose. It returns ErrInvalid or ErrExpired, and leaves content
// alone, when there is nothing to read.
func (k *Keyring) Open(purpose Purpose, handle string, content any) error {
	if !wellFormed(handle) {
		return ErrInvalid
	}
	token := k.decrypt(purpose, handle)
	if token == nil {
		return ErrInvalid
	}
	expires, err := token.GetExpiration()
	if err != nil {
		return ErrInvalid
	}
	if !k.now().Before(expires) {
		return ErrExpired
	}
	if err := token.Get(claimContent, content); err != nil {
		return ErrInvalid
	}
	return nil
}

// decrypt returns the token inside a handle, or nil when no key opens it.
func (k *Keyring) decrypt(purpose Purpose, handle string) *paseto.Token {
	parser := paseto.NewParserWithoutExpiryCheck()
	for _, key := range k.keys {
		if token, err := parser.ParseV4Local(key, handle, []byte(purpose)); err == nil {
			return token
		}
	}
	return nil
}

// wellFormed keeps what can't be a handle away from the cryptography. Base64 is decoded strictly: the spare
// bits of its last digit must be zero, so that a handle has exactly one spelling.
func wellFormed(handle string) bool {
	if len(handle) != handleBytes || !strings.HasPrefix(handle, header) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(handle[len(header):])
	return err == nil
}
