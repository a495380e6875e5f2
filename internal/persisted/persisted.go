// Package persisted keeps documents under the SHA-256 of their text, so that clients need not send them each time. A client whose document is not
// there sends it once more, so nothing that is kept here is ever missed, and a Store forgets what it has no room for. There are three:
//
//   - Memory: in this process.
//   - Redis: shared among replicas.
//   - Fallback: a local store, and a shared one while that answers.
//
// Who keeps a document has to make sure before that it is one: anybody could fill a Store with anything else.
package persisted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"clerkql/internal/sharedredis"
)

// MaxDocumentBytes bounds a document. Longer ones are not kept.
const MaxDocumentBytes = 8 << 10

// Hash returns the name of a document: its SHA-256, in hexadecimal.
func Hash(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// Store keeps documents. It is safe for concurrent use.
type Store interface {
	// Get returns the document with a hash, or "".
	Get(ctx context.Context, hash string) (string, error)
	// Put keeps a document, unless it is longer than MaxDocumentBytes.
	Put(ctx context.Context, document string) error
}

// Memory is a Store in this process. It keeps no more than a number of documents, and forgets the one that was asked for the longest ago.
type Memory struct{ documents *lru.Cache[string, string] }

// NewMemory returns a Memory with room for a number of documents. It is an error if that is less than 1.
func NewMemory(documents int) (*Memory, error) {
	cache, err := lru.New[string, string](documents)
	if err != nil {
		return nil, fmt.Errorf("persisted: need room for at least 1 document, got %d", documents)
	}
	return &Memory{documents: cache}, nil
}

// Get implements Store. It never fails.
func (m *Memory) Get(_ context.Context, hash string) (string, error) {
	document, _ := m.documents.Get(hash)
	return document, nil
}

// Put implements Store. It never fails.
func (m *Memory) Put(_ context.Context, document string) error {
	if len(document) <= MaxDocumentBytes {
		m.documents.Add(Hash(document), document)
	}
	return nil
}

// Fallback is a Store that looks in a local store first, and in a shared one while that answers. It never fails.
type Fallback struct {
	shared Store
	local  *Memory
	outage *sharedredis.Outage
}

// NewFallback returns a Fallback. All that asks where shared is should go by the same Outage.
func NewFallback(shared Store, local *Memory, outage *sharedredis.Outage) *Fallback {
	return &Fallback{shared: shared, local: local, outage: outage}
}

// Get implements Store.
func (f *Fallback) Get(ctx context.Context, hash string) (document string, err error) {
	if document, err = f.local.Get(ctx, hash); document != "" || err != nil {
		return document, err
	}
	f.outage.Ask(ctx, sharedredis.Reads, func() (err error) {
		document, err = f.shared.Get(ctx, hash)
		return err
	})
	if document == "" {
		return "", nil
	}
	return document, f.local.Put(ctx, document)
}

// Put implements Store. What is known here is not told again: whoever does not find it elsewhere will tell it there.
func (f *Fallback) Put(ctx context.Context, document string) error {
	if known, err := f.local.Get(ctx, Hash(document)); known != "" || err != nil || len(document) > MaxDocumentBytes {
		return err
	}
	f.outage.Ask(ctx, sharedredis.Writes, func() error { return f.shared.Put(ctx, document) })
	return f.local.Put(ctx, document)
}
