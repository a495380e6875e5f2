package idempotency_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/internal/idempotency"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

func TestMemoryIsBounded(t *testing.T) {
	c := &clock{now: time.Now()}
	for name, row := range map[string]struct{ records, bytes, answer, left int }{
		"in records": {10, 1 << 20, 100, 10},
		"in bytes":   {1000, 10_000, 1000, 7}, // of base64, and more
	} {
		k := keeper(t, memory(t, row.records, row.bytes, c.Now))
		keyOf := func(i int) string { return fmt.Sprintf("key number %09d", i) }
		for i := range 50 {
			mustClaim(t, k, keyOf(i), "a").Finish(t.Context(), idempotency.Answer{Body: make([]byte, row.answer)})
		}
		left := 0
		for i := 49; i >= 0; i-- {
			claim, answer, err := k.Claim(t.Context(), keyOf(i), "a")
			if err != nil {
				t.Fatal(err)
			}
			if answer == nil {
				claim.Release(t.Context())
				break // the rest is older
			}
			left++
		}
		if left != row.left {
			t.Errorf("%s: %d answers are left, want %d", name, left, row.left)
		}
	}
	if _, err := idempotency.NewMemory(0, 1, c.Now); err == nil {
		t.Error("a memory without room")
	}
}

// TestRedisIsBounded in answers: those that expire first go. Claims stay, also one of a key whose answer has expired since.
func TestRedisIsBounded(t *testing.T) {
	conn := connect(t, redistest.Start(t).Address, 10*time.Second)
	k := keeper(t, idempotency.NewRedis(conn, room))
	keyOf := func(i int) string { return fmt.Sprintf("key number %09d", i) }
	mustClaim(t, k, clientKey, "a").Finish(t.Context(), first)
	names := conn.Client.Keys(t.Context(), records).Val()
	for _, name := range names { // as time would
		conn.Client.Del(t.Context(), name)
		conn.Client.ZAddXX(t.Context(), "clerkql:{idempotency}", redis.Z{Score: 1, Member: name})
	}
	mustClaim(t, k, clientKey, "a")
	for i := range 5 * room {
		mustClaim(t, k, keyOf(i), "a").Finish(t.Context(), first)
	}
	wantError(t, idempotency.ErrInProgress, k, "a")
	if left := len(conn.Client.Keys(t.Context(), records).Val()); left != room+1 {
		t.Errorf("%d records are left, want %d answers and a claim", left, room)
	}
	for i := range room {
		if _, answer, err := k.Claim(t.Context(), keyOf(4*room+i), "a"); answer == nil || err != nil {
			t.Errorf("answer %d: %v, %v", 4*room+i, answer, err)
		}
	}
	if ttl := conn.Client.PTTL(t.Context(), "clerkql:{idempotency}").Val(); ttl <= 9*time.Minute || ttl > 10*time.Minute {
		t.Errorf("the names of the answers expire in %v", ttl)
	}
	mustClaim(t, k, keyOf(0), "a") // whose answer has gone
}

// TestMemoryKeepsClaims, however many other requests end meanwhile. Beyond as many as there is room for, requests run without one, and are answered again once
// they have ended.
func TestMemoryKeepsClaims(t *testing.T) {
	c := &clock{now: time.Now()}
	k := keeper(t, memory(t, room, 10_000, c.Now))
	keyOf := func(i int) string { return fmt.Sprintf("key number %09d", i) }
	mustClaim(t, k, clientKey, "a")
	for i := range 5 * room {
		mustClaim(t, k, keyOf(i), "a").Finish(t.Context(), first)
	}
	wantError(t, idempotency.ErrInProgress, k, "a")
	for i := range room {
		mustClaim(t, k, keyOf(i), "a")
	}
	wantError(t, idempotency.ErrInProgress, k, "a")
	mustClaim(t, k, keyOf(room-1), "a").Finish(t.Context(), first)
	if _, answer, err := k.Claim(t.Context(), keyOf(room-1), "a"); answer == nil || err != nil {
		t.Errorf("what had no room for its claim: %v, %v", answer, err)
	}
	c.Advance(time.Minute) // the leases are over
	mustClaim(t, k, clientKey, "a")
	wantError(t, idempotency.ErrInProgress, k, "a")
}

// TestAnAnswerThatIsTooLongIsNotKept, but its key stays claimed: it has run.
func TestAnAnswerThatIsTooLongIsNotKept(t *testing.T) {
	k := keeper(t, memory(t, 10, 1<<20, time.Now))
	mustClaim(t, k, clientKey, "a").Finish(t.Context(), idempotency.Answer{Body: make([]byte, 64<<10)})
	wantError(t, idempotency.ErrInProgress, k, "a")
}

// TestWhoReadsRedisLearnsNothing: neither what was asked and answered, nor the keys.
func TestWhoReadsRedisLearnsNothing(t *testing.T) {
	conn := connect(t, redistest.Start(t).Address, 10*time.Second)
	k := keeper(t, idempotency.NewRedis(conn, room), newKey, oldKey)
	mustClaim(t, k, clientKey, "request of hunter2").Finish(t.Context(), first)
	mustClaim(t, k, "another key of a client", "request of hunter2")
	keys := conn.Client.Keys(t.Context(), records).Val()
	if len(keys) != 2 {
		t.Fatalf("%q", keys)
	}
	for _, key := range keys {
		content := key + conn.Client.Get(t.Context(), key).Val()
		for _, secret := range []string{clientKey, "another key", "hunter2", "data", "a=1", string(newKey), string(oldKey)} {
			if strings.Contains(content, secret) {
				t.Errorf("%q has %q", content, secret)
			}
		}
		if ttl := conn.Client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > 10*time.Minute {
			t.Errorf("%q expires in %v", key, ttl)
		}
	}
}

// TestARecordOpensNowhereElse has records changed, and put under other names, by whoever can write to Redis.
func TestARecordOpensNowhereElse(t *testing.T) {
	conn := connect(t, redistest.Start(t).Address, 10*time.Second)
	k := keeper(t, idempotency.NewRedis(conn, room))
	mustClaim(t, k, clientKey, "a").Finish(t.Context(), first)
	at := conn.Client.Keys(t.Context(), records).Val()[0]
	record := conn.Client.Get(t.Context(), at).Val()
	mustClaim(t, k, "another key of a client", "a")
	for _, name := range conn.Client.Keys(t.Context(), records).Val() {
		for i := range record {
			changed := []byte(record)
			changed[i]++
			for _, content := range []string{string(changed), record[:i]} {
				if content == "" {
					continue
				}
				if err := conn.Client.Set(t.Context(), name, content, 0).Err(); err != nil {
					t.Fatal(err)
				}
				if claim, answer, err := k.Claim(t.Context(), clientKey, "a"); name == at && (err == nil || claim != nil || answer != nil) {
					t.Fatalf("%q: %v, %v", content, answer, err)
				}
			}
		}
		conn.Client.Set(t.Context(), name, record, 0)
	}
	if claim, answer, err := k.Claim(t.Context(), "another key of a client", "a"); err == nil || claim != nil || answer != nil {
		t.Errorf("moved to another name: %v, %v", answer, err)
	}
	wantAnswer(t, k, "a")
}

func TestReplicasShareAnswers(t *testing.T) {
	server := redistest.Start(t)
	replica := func() *idempotency.Keeper {
		conn := connect(t, server.Address, time.Second)
		outage := sharedredis.NewOutage(50*time.Millisecond, time.Now, slog.New(slog.DiscardHandler))
		return keeper(t, idempotency.NewFallback(idempotency.NewRedis(conn, room), memory(t, 10, 1<<20, time.Now), outage))
	}
	one, other := replica(), replica()
	claim := mustClaim(t, one, clientKey, "a")
	wantError(t, idempotency.ErrInProgress, other, "a")
	wantError(t, idempotency.ErrOtherRequest, other, "b")
	claim.Finish(t.Context(), first)
	wantAnswer(t, other, "a")
	wantAnswer(t, other, "a") // its own claim is gone

	// An outage that begins while a request runs: who ran it knows its answer.
	claim = mustClaim(t, one, "a key of the outage", "a")
	server.Kill()
	claim.Finish(t.Context(), first)
	if _, answer, err := one.Claim(t.Context(), "a key of the outage", "a"); answer == nil || err != nil {
		t.Errorf("in an outage: %v, %v", answer, err)
	}
	wantAnswerOf := func(k *idempotency.Keeper, key string) {
		t.Helper()
		if _, answer, err := k.Claim(t.Context(), key, "a"); answer == nil || err != nil {
			t.Errorf("%s: %v, %v", key, answer, err)
		}
	}
	mustClaim(t, one, "a key within the outage", "a").Finish(t.Context(), first)
	wantAnswerOf(one, "a key within the outage")
	mustClaim(t, other, "a key within the outage", "a").Release(t.Context()) // replicas do not know each other
	server.Restart()
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; ; i++ { // shared again, soon
		key := fmt.Sprintf("a key of the time after %d", i)
		mustClaim(t, one, key, "a").Finish(t.Context(), first)
		if claim, answer, _ := other.Claim(t.Context(), key, "a"); answer != nil {
			break
		} else if claim != nil {
			claim.Release(t.Context())
		}
		if time.Now().After(deadline) {
			t.Fatal("not shared again")
		}
		time.Sleep(20 * time.Millisecond)
	}
	wantAnswerOf(one, clientKey) // the new Redis knows nothing of it
}

func TestServerKeys(t *testing.T) {
	for name, keys := range map[string][][]byte{"none": {}, "short": {bytes.Repeat([]byte{1}, 31)}, "one of two is short": {newKey, {}}} {
		if _, err := idempotency.NewKeeper(idempotency.Options{Keys: keys}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
