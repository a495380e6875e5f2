// Package ratelimit says whether something may happen again already: the next sign-in from this IP address, the next code to that
// mail address.
//
// A Charge takes one from a Budget, which holds some at once and refills evenly (GCRA, the generic cell rate algorithm). A Store
// takes several charges together: one from every budget, or, if any of them refuses, from none. There are three:
//
//   - Memory: in this process, with a bounded number of keys.
//   - Redis: shared among replicas, in one round trip.
//   - Fallback: a shared store while it answers, and a local one while it does not.
//
// Marks remember that something happened, so that who did it once can be told from others. A Quota shares out what somebody else lets all of
// us do together. There are the same three of each.
//
// Keys should be pseudonyms (internal/pseudonym): who reads the memory of the process or that of Redis must see neither an address nor an IP.
//
// No library does this, so the arithmetic is here, and it is short: budget.go has it in Go, take.lua says it again for Redis, and the same
// tests hold both to a model. What was looked at:
//
//   - github.com/throttled/throttled/v2 takes from one key at a time, reads and writes in separate round trips to Redis, and its
//     memory forgets the least recently used key: who makes up enough keys empties a victim's.
//   - github.com/go-redis/redis_rate/v10 takes from one key at a time, so what a later key refuses was taken from the earlier ones. It
//     computes in floating point, and has no memory store.
//   - golang.org/x/time/rate has no keys, is local, and does not tell when a bucket is full again, which is what tells the keys that can be
//     forgotten.
//
// The connection to Redis is that of internal/sharedredis.
package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxKeyBytes bounds what one key takes in memory.
const maxKeyBytes = 64

// Store takes charges. It is safe for concurrent use.
type Store interface {
	// Take takes one from the budget of every charge, or, if any of them refuses, from none. It is an error if a charge is not valid:
	// its Budget is not, its Key is empty or longer than 64 bytes, or it is there twice. A store that is somewhere else also returns an
	// error if it could not be asked, and then may have taken all or none.
	Take(ctx context.Context, charges []Charge) (Decision, error)
}

// Charge is one to take from the budget of a key. One key may have several budgets, and each counts for itself.
type Charge struct {
	// Key says who pays, and for what. It must not hold what a log must not.
	Key    string
	Budget Budget
}

// Decision is what came of a Take.
type Decision struct {
	// OK: taken from all budgets. Otherwise nothing was taken.
	OK bool
	// RetryAfter is how long until all budgets would give one, unless somebody else takes it first. 0 if OK.
	RetryAfter time.Duration
	// Refused is the index of the charge that refuses the longest, and so decides RetryAfter. 0 if OK.
	Refused int
}

// refuse has the charge of an index refuse for as long as wait, which is 0 if it does not.
func (d *Decision) refuse(index int, wait time.Duration) {
	if wait > d.RetryAfter {
		*d = Decision{RetryAfter: wait, Refused: index}
	}
}

// check returns an error if charges are not what Take can take. It tells no key.
func check(charges []Charge) error {
	for i, charge := range charges {
		if err := charge.Budget.Validate(); err != nil {
			return err
		}
		if err := checkKey(charge.Key); err != nil {
			return err
		}
		if slices.Contains(charges[:i], charge) {
			return fmt.Errorf("ratelimit: charge %d is there twice", i)
		}
	}
	return nil
}

// checkKey returns an error if a key can't be one.
func checkKey(key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return fmt.Errorf("ratelimit: a key must have 1 to %d bytes, has %d", maxKeyBytes, len(key))
	}
	return nil
}
