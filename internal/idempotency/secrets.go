package idempotency

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// keyBytes is how long a key of the server's must be at least.
const keyBytes = 32

// kind begins a record, and says what it is. The fingerprint of the request follows, and then, of an answer, what seal made of it, or, of a claim, what
// tells it from all others.
type kind byte

const (
	claimed  kind = 'c'
	answered kind = 'a'
)

// errRecord: the store has something that no Keeper put there.
var errRecord = errors.New("idempotency: the record is not one of ours")

// secrets are what one key of the server's and one of a client's make together. Nobody who lacks either can make them.
type secrets struct {
	name       string // where the record is
	hash, lock []byte // keys of the fingerprint, and of the answer
}

func derive(serverKey []byte, clientKey string) (secrets, error) {
	var derived [3][]byte
	for i, purpose := range []string{"name", "request", "answer"} {
		var err error
		// The server's key is random, so it needs no extraction. The purposes are none of each other's beginnings.
		if derived[i], err = hkdf.Expand(sha256.New, serverKey, "clerkql: idempotency: "+purpose+": "+clientKey, sha256.Size); err != nil {
			return secrets{}, fmt.Errorf("idempotency: %w", err)
		}
	}
	return secrets{name: base64.RawURLEncoding.EncodeToString(derived[0]), hash: derived[1], lock: derived[2]}, nil
}

// fingerprint returns a keyed hash of a request. Each text is preceded by its length, so that none can pass for the end of the one before.
func (s secrets) fingerprint(request []string) string {
	mac := hmac.New(sha256.New, s.hash)
	for _, text := range request {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		mac.Write([]byte(text))
	}
	return string(mac.Sum(nil))
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func parse(record string) (is kind, fingerprint, rest string, err error) {
	if len(record) <= 1+sha256.Size {
		return 0, "", "", errRecord
	}
	if is = kind(record[0]); is != claimed && is != answered {
		return 0, "", "", errRecord
	}
	return is, record[1 : 1+sha256.Size], record[1+sha256.Size:], nil
}

// seal encrypts the answer to a request, so that it opens as the answer to no other.
func (s secrets) seal(fingerprint string, answer Answer) (string, error) {
	plain, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("idempotency: %w", err)
	}
	if len(plain) > maxAnswerBytes {
		return "", fmt.Errorf("idempotency: an answer may have %d bytes, has %d", maxAnswerBytes, len(plain))
	}
	aead, err := chacha20poly1305.NewX(s.lock)
	if err != nil {
		return "", fmt.Errorf("idempotency: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return string(aead.Seal(nonce, nonce, plain, []byte(s.name+fingerprint))), nil
}

func (s secrets) open(fingerprint, sealed string) (*Answer, error) {
	aead, err := chacha20poly1305.NewX(s.lock)
	if err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errRecord
	}
	plain, err := aead.Open(nil, []byte(sealed[:aead.NonceSize()]), []byte(sealed[aead.NonceSize():]), []byte(s.name+fingerprint))
	if err != nil {
		return nil, errRecord
	}
	answer := &Answer{}
	if err := json.Unmarshal(plain, answer); err != nil {
		return nil, errRecord
	}
	return answer, nil
}
