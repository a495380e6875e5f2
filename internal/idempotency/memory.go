package idempotency

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Memory is a Store in this process. It keeps no more than a number of records, and of bytes in them. When there is no room for another, it forgets the one that was
// written the longest ago, which is about the one that expires first.
type Memory struct {
	now   func() time.Time
	bytes int // how many there is room for

	mu      sync.Mutex
	records *simplelru.LRU[string, record] // the lru's own expiry goes by a clock that tests can't set
	used    int
}

type record struct {
	text    string
	expires time.Time
}

// NewMemory returns a Memory with room for a number of records and bytes. It is an error if there is room for less than 1 record. now is the clock.
func NewMemory(records, bytes int, now func() time.Time) (*Memory, error) {
	m := &Memory{now: now, bytes: bytes}
	var err error
	if m.records, err = simplelru.NewLRU(records, func(_ string, r record) { m.used -= len(r.text) }); err != nil {
		return nil, fmt.Errorf("idempotency: need room for at least 1 record, got %d", records)
	}
	return m, nil
}

// Claim implements Store.
func (m *Memory) Claim(_ context.Context, names []string, claim string, lease time.Duration) (at int, text string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, name := range names {
		if text := m.get(name); text != "" {
			return i, text, nil
		}
	}
	m.put(names[0], claim, lease)
	return -1, "", nil
}

// Finish implements Store.
func (m *Memory) Finish(_ context.Context, name, claim, text string, keep time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.get(name); now == "" || now == claim {
		m.put(name, text, keep)
	}
	return nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, name, claim string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.get(name) == claim {
		m.records.Remove(name)
	}
	return nil
}

// get returns what is under a name, or "". To be asked for keeps nothing longer.
func (m *Memory) get(name string) string {
	found, ok := m.records.Peek(name)
	if !ok || !m.now().Before(found.expires) {
		return ""
	}
	return found.text
}

func (m *Memory) put(name, text string, keep time.Duration) {
	m.records.Remove(name) // the lru does not tell of what is overwritten
	m.records.Add(name, record{text: text, expires: m.now().Add(keep)})
	for m.used += len(text); m.used > m.bytes; {
		m.records.RemoveOldest()
	}
}
