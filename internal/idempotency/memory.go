package idempotency

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Memory is a Store in this process. It has room for a number of answers, and of bytes in them, and for as many claims. When there is no room for another answer,
// it forgets the one that was written the longest ago. A claim it never forgets: when there is no room for another, it is granted, but others with
// its key run, too, until one of them is answered.
type Memory struct {
	now            func() time.Time
	records, bytes int // how many there is room for

	mu              sync.Mutex
	claims, answers *simplelru.LRU[string, record] // the lru's own expiry goes by a clock that tests can't set
	used            int                            // bytes, by answers
}

type record struct {
	text    string
	expires time.Time
}

// NewMemory returns a Memory with room for a number of records and bytes. It is an error if there is room for less than 1 record. now is the clock.
func NewMemory(records, bytes int, now func() time.Time) (*Memory, error) {
	m := &Memory{now: now, records: records, bytes: bytes}
	var errClaims, errAnswers error
	m.claims, errClaims = simplelru.NewLRU[string, record](records, nil)
	m.answers, errAnswers = simplelru.NewLRU(records, func(_ string, r record) { m.used -= len(r.text) })
	if errClaims != nil || errAnswers != nil {
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
	m.claims.Remove(names[0]) // it has expired
	if m.claims.Len() == m.records {
		if _, oldest, _ := m.claims.GetOldest(); m.live(oldest) {
			return -1, "", nil
		}
	}
	m.claims.Add(names[0], record{text: claim, expires: m.now().Add(lease)})
	return -1, "", nil
}

// Finish implements Store.
func (m *Memory) Finish(_ context.Context, name, claim, text string, keep time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.get(name); now != "" && now != claim {
		return nil
	}
	m.claims.Remove(name)
	m.answers.Remove(name) // the lru does not tell of what is overwritten
	m.answers.Add(name, record{text: text, expires: m.now().Add(keep)})
	for m.used += len(text); m.used > m.bytes; {
		m.answers.RemoveOldest()
	}
	return nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, name, claim string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.get(name) == claim {
		m.claims.Remove(name)
	}
	return nil
}

// get returns what is under a name, or "". To be asked for keeps nothing longer.
func (m *Memory) get(name string) string {
	for _, records := range []*simplelru.LRU[string, record]{m.claims, m.answers} {
		if found, ok := records.Peek(name); ok && m.live(found) {
			return found.text
		}
	}
	return ""
}

func (m *Memory) live(r record) bool { return m.now().Before(r.expires) }
