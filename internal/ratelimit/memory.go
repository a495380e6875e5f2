package ratelimit

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a Store in this process. It keeps no more than a number of budgets of keys, at 200 bytes each, and up to 420 when keys come and
// go for long: Go's map grows to a multiple of what is in it, and then no more.
//
// When there is no room for another, it forgets a bucket that is full again, which changes nothing: it is as good as one that was never
// taken from. If none is, it forgets the one that is full the soonest, among those of the budget that has the most. So, who makes up keys
// pushes out their own before one that somebody has spent: to reach that one they must spend as much, with as many keys as there is
// room for. And they push out none of another budget before they have as many themselves, which matters because a budget
// of a minute is always full sooner than one of an hour.
type Memory struct {
	now   func() time.Time
	start time.Time // what all times are measured from, so that setting the system's clock changes none
	keys  int       // how many there is room for

	mu      sync.Mutex
	buckets map[Charge]*bucket
	queues  map[Budget]*queue // the same buckets; as many budgets as the program has
}

// bucket is what has been taken of one budget of one key.
type bucket struct {
	charge Charge
	full   time.Duration // when it is full again, since start
	index  int           // in its queue
}

// NewMemory returns a Memory with room for a number of keys. It is an error if that is less than 1. now is the clock.
func NewMemory(keys int, now func() time.Time) (*Memory, error) {
	if keys < 1 {
		return nil, fmt.Errorf("ratelimit: need room for at least 1 key, got %d", keys)
	}
	return &Memory{now: now, start: now(), keys: keys, buckets: map[Charge]*bucket{}, queues: map[Budget]*queue{}}, nil
}

// Take implements Store.
func (m *Memory) Take(_ context.Context, charges []Charge) (Decision, error) {
	if err := check(charges); err != nil {
		return Decision{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().Sub(m.start)
	next := make([]time.Duration, len(charges))
	decision := Decision{OK: true}
	for i, charge := range charges {
		full := now
		if b := m.buckets[charge]; b != nil {
			full = b.full
		}
		var wait time.Duration
		next[i], wait = charge.Budget.spend(full, now)
		decision.refuse(i, wait)
	}
	if decision.OK {
		for i, charge := range charges {
			m.set(charge, next[i], now)
		}
	}
	return decision, nil
}

// set notes when a bucket is full.
func (m *Memory) set(charge Charge, full, now time.Duration) {
	if b := m.buckets[charge]; b != nil {
		b.full = full
		heap.Fix(m.queues[charge.Budget], b.index)
		return
	}
	if len(m.buckets) >= m.keys {
		m.forget(now)
	}
	q := m.queues[charge.Budget]
	if q == nil {
		q = &queue{}
		m.queues[charge.Budget] = q
	}
	b := &bucket{charge: charge, full: full}
	m.buckets[charge] = b
	heap.Push(q, b)
}

// forget makes room for one bucket.
func (m *Memory) forget(now time.Duration) {
	var from *queue
	for _, q := range m.queues {
		if q.Len() > 0 && (*q)[0].full <= now {
			from = q
			break
		}
		if from == nil || q.Len() > from.Len() {
			from = q
		}
	}
	delete(m.buckets, heap.Pop(from).(*bucket).charge)
}

// queue is a heap of buckets, the one that is full the soonest first.
type queue []*bucket

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].full < q[j].full }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(x any) {
	b := x.(*bucket)
	b.index = len(*q)
	*q = append(*q, b)
}

// Pop implements [heap.Interface]. It gives back memory when most of it is unused, as the budgets take turns in having the most buckets.
func (q *queue) Pop() any {
	last := len(*q) - 1
	b := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	if len(*q) < cap(*q)/4 {
		*q = slices.Clone(*q)
	}
	return b
}
