package clerkemu

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// clockSkew is what a session token's nbf lies before its iat [I].
const clockSkew = 10 * time.Second

// signer holds the signing key of the instance.
type signer struct {
	instanceID string // also the key id
	jose       jose.Signer
	public     jose.JSONWebKey
}

// newSigner uses the given key, or makes one when it is nil.
func newSigner(key *rsa.PrivateKey) (*signer, error) {
	const bits = 2048
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
			return nil, fmt.Errorf("signing key: %w", err)
		}
	}
	id := newID(prefixInstance)
	private := jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.RS256), Use: "sig"}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return &signer{instanceID: id, jose: js, public: private.Public()}, nil
}

func (s *signer) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claims: %w", err)
	}
	signed, err := s.jose.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed.CompactSerialize()
}

// verify checks that the instance signed a token and decodes its claims. It
// does not look at any of them.
func (s *signer) verify(token string, claims any) bool {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false
	}
	payload, err := signed.Verify(s.public)
	return err == nil && json.Unmarshal(payload, claims) == nil
}

// SignSessionToken signs any claims with the key of the instance, so that a
// test can forge what a verifier has to refuse. Claims that are not JSON give
// an empty string.
func (s *Server) SignSessionToken(claims map[string]any) string {
	token, err := s.signer.sign(claims)
	if err != nil {
		return ""
	}
	return token
}

// SessionTokenClaims are the claims of a proper session token (version 2), to
// be altered and given to SignSessionToken. It does not check that the user
// and the session exist.
func (s *Server) SessionTokenClaims(userID, sessionID string) map[string]any {
	return s.sessionClaims(userID, sessionID, s.opts.SessionTokenLife)
}

func (s *Server) sessionClaims(userID, sessionID string, life time.Duration) map[string]any {
	now := s.clock.Now()
	return map[string]any{
		"exp": now.Add(life).Unix(),
		"fva": []int{0, -1},
		"iat": now.Unix(),
		"iss": s.Issuer(),
		"jti": newTraceID(),
		"nbf": now.Add(-clockSkew).Unix(),
		"sid": sessionID,
		"sts": statusActive,
		"sub": userID,
		"v":   2,
	}
}

// tokenBody is the schema Token.
type tokenBody struct {
	Object string `json:"object"`
	JWT    string `json:"jwt"`
}

// createSessionToken is CreateSessionToken, POST
// /sessions/{session_id}/tokens. That a session which is not active counts as
// not found is inferred [I].
func (s *Server) createSessionToken(r *request) (any, error) {
	life := s.opts.SessionTokenLife
	const shortest, longest = 30, 315_360_000
	if seconds, ok := r.params.integer("expires_in_seconds", shortest, longest); ok {
		life = time.Duration(seconds) * time.Second
	}
	if err := r.params.err(); err != nil {
		return nil, err
	}
	userID, err := s.useSession(r.id)
	if err != nil {
		return nil, err
	}
	return s.mintSessionToken(userID, r.id, life)
}

// useSession notes that an active session is in use, and tells whose it is.
func (s *Server) useSession(sessionID string) (userID string, err error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	sess, err := s.store.session(sessionID)
	if err != nil {
		return "", err
	}
	return sess.use(s.clock.Now())
}

// use notes that the session is in use, and tells whose it is. It fails when
// the session is not active.
func (s *session) use(now time.Time) (userID string, err error) {
	if s.statusAt(now) != statusActive {
		return "", errSessionNotFound()
	}
	s.lastActiveAt, s.owner.lastActiveAt = now, now
	return s.owner.id, nil
}

func (s *Server) mintSessionToken(userID, sessionID string, life time.Duration) (*tokenBody, error) {
	token, err := s.signer.sign(s.sessionClaims(userID, sessionID, life))
	if err != nil {
		return nil, err
	}
	return &tokenBody{Object: "token", JWT: token}, nil
}

// getJWKS is GetJWKS, GET /jwks. It needs the secret key like every other
// operation, and has no rate limit.
func (s *Server) getJWKS(*request) (any, error) {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.signer.public}}, nil
}
