package idempotency_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/internal/idempotency"
	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

// room is how many answers a Redis has room for, and records the pattern of their names there.
const (
	room    = 10
	records = "clerkql:{idempotency}:*"
)

const clientKey = "8e03978e-40d5-43dd-bc93-6894a57f9324"

var (
	oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	first          = idempotency.Answer{Body: []byte(`{"data":{"result":"hunter2"}}`), Cookies: []string{"a=1", "b=2"}}
)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func memory(t testing.TB, records, size int, now func() time.Time) *idempotency.Memory {
	t.Helper()
	m, err := idempotency.NewMemory(records, size, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func connect(t testing.TB, address string, timeout time.Duration) *sharedredis.Conn {
	t.Helper()
	conn, err := sharedredis.Connect("redis://"+address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// eachStore runs a test on every store, and tells it how to let time pass.
func eachStore(t *testing.T, test func(t *testing.T, store idempotency.Store, pass func(time.Duration))) {
	t.Run("memory", func(t *testing.T) {
		c := &clock{now: time.Now()}
		test(t, memory(t, 1000, 1<<20, c.Now), c.Advance)
	})
	t.Run("redis", func(t *testing.T) {
		conn := connect(t, redistest.Start(t).Address, 10*time.Second)
		test(t, idempotency.NewRedis(conn, room), func(d time.Duration) { age(t, conn, d) })
	})
	t.Run("fallback", func(t *testing.T) {
		conn, c := connect(t, redistest.Start(t).Address, 10*time.Second), &clock{now: time.Now()}
		outage := sharedredis.NewOutage(time.Second, c.Now, slog.New(slog.DiscardHandler))
		test(t, idempotency.NewFallback(idempotency.NewRedis(conn, room), memory(t, 1000, 1<<20, c.Now), outage), func(d time.Duration) {
			c.Advance(d)
			age(t, conn, d)
		})
		if stats := outage.Stats(); stats != (sharedredis.Stats{}) {
			t.Errorf("fell back: %+v", stats)
		}
	})
}

// age has all that is in a Redis expire so much earlier.
func age(t testing.TB, conn *sharedredis.Conn, d time.Duration) {
	t.Helper()
	for _, key := range conn.Client.Keys(t.Context(), "*").Val() {
		if err := conn.Client.PExpire(t.Context(), key, conn.Client.PTTL(t.Context(), key).Val()-d).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func keeper(t testing.TB, store idempotency.Store, keys ...[]byte) *idempotency.Keeper {
	t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{newKey}
	}
	k, err := idempotency.NewKeeper(idempotency.Options{Keys: keys, Store: store, Lease: time.Minute, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// mustClaim claims a key that must be free.
func mustClaim(t testing.TB, k *idempotency.Keeper, key string, request ...string) *idempotency.Claim {
	t.Helper()
	claim, answer, err := k.Claim(t.Context(), key, request...)
	if err != nil || answer != nil {
		t.Fatalf("not the first: %v, %v", answer, err)
	}
	return claim
}

// wantError fails the test unless a request is refused like this.
func wantError(t testing.TB, want error, k *idempotency.Keeper, request ...string) {
	t.Helper()
	if claim, answer, err := k.Claim(t.Context(), clientKey, request...); !errors.Is(err, want) || claim != nil || answer != nil {
		t.Errorf("%q: %v, %v, %v; want %v", request, claim, answer, err, want)
	}
}

// wantAnswer fails the test unless a request gets the first answer.
func wantAnswer(t testing.TB, k *idempotency.Keeper, request ...string) {
	t.Helper()
	_, answer, err := k.Claim(t.Context(), clientKey, request...)
	if err != nil || answer == nil || string(answer.Body) != string(first.Body) || strings.Join(answer.Cookies, ";") != "a=1;b=2" {
		t.Errorf("%q: %v, %v", request, answer, err)
	}
}

func TestTheFirstAnswerIsGivenAgain(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, pass func(time.Duration)) {
		k := keeper(t, store)
		claim := mustClaim(t, k, clientKey, "a", "b")
		wantError(t, idempotency.ErrInProgress, k, "a", "b")
		for _, other := range [][]string{{"a", "c"}, {"ab"}, {"ab", ""}, {"a"}, {"a", "b", ""}, {}} {
			wantError(t, idempotency.ErrOtherRequest, k, other...)
		}
		claim.Finish(t.Context(), first)
		claim.Release(t.Context()) // too late
		wantAnswer(t, k, "a", "b")
		wantError(t, idempotency.ErrOtherRequest, k, "a", "c")
		mustClaim(t, k, "another key, another story", "a", "c")
		pass(10*time.Minute - time.Second)
		wantAnswer(t, k, "a", "b")
		pass(time.Second + time.Millisecond)
		mustClaim(t, k, clientKey, "a", "c")
	})
}

func TestAReleasedKeyIsFree(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, _ func(time.Duration)) {
		k := keeper(t, store)
		mustClaim(t, k, clientKey, "a").Release(t.Context())
		claim := mustClaim(t, k, clientKey, "b")
		ctx := claim.Context(t.Context())
		idempotency.Passing(ctx)
		claim.Finish(ctx, first)
		mustClaim(t, k, clientKey, "c")
	})
	idempotency.Passing(t.Context()) // nobody's
}

// TestALeaseEnds: who had it can't take away what another got since.
func TestALeaseEnds(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, pass func(time.Duration)) {
		k := keeper(t, store)
		late, later := mustClaim(t, k, clientKey, "a"), (*idempotency.Claim)(nil)
		pass(time.Minute - time.Second)
		wantError(t, idempotency.ErrInProgress, k, "a")
		pass(time.Second + time.Millisecond)
		later = mustClaim(t, k, clientKey, "a")
		late.Release(t.Context())
		wantError(t, idempotency.ErrInProgress, k, "a")
		later.Finish(t.Context(), first)
		wantAnswer(t, k, "a")

		late = mustClaim(t, k, "a key that nobody else wants", "a")
		pass(2 * time.Minute)
		late.Finish(t.Context(), first)
		if _, answer, err := k.Claim(t.Context(), "a key that nobody else wants", "a"); answer == nil || err != nil {
			t.Errorf("a late answer: %v, %v", answer, err)
		}
	})
}

func TestALateAnswerReplacesNoOther(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, pass func(time.Duration)) {
		k := keeper(t, store)
		late := mustClaim(t, k, clientKey, "a")
		pass(2 * time.Minute)
		mustClaim(t, k, clientKey, "a").Finish(t.Context(), first)
		late.Finish(t.Context(), idempotency.Answer{Body: []byte("late")})
		wantAnswer(t, k, "a")
	})
}

func TestOneOfManyIsTheFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, _ func(time.Duration)) {
		k := keeper(t, store)
		var wg sync.WaitGroup
		var firsts atomic.Int64
		for range 50 {
			wg.Go(func() {
				claim, _, err := k.Claim(t.Context(), clientKey, "a")
				if claim != nil {
					firsts.Add(1)
				} else if !errors.Is(err, idempotency.ErrInProgress) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := firsts.Load(); n != 1 {
			t.Errorf("%d were the first", n)
		}
	})
}

// TestKeysRotate has the server's key changed between a request and the next, in two steps: first all learn the new one, then it comes first.
func TestKeysRotate(t *testing.T) {
	eachStore(t, func(t *testing.T, store idempotency.Store, _ func(time.Duration)) {
		before, during, after := keeper(t, store, oldKey), keeper(t, store, oldKey, newKey), keeper(t, store, newKey, oldKey)
		claim := mustClaim(t, before, clientKey, "a")
		for _, k := range []*idempotency.Keeper{during, after} {
			wantError(t, idempotency.ErrInProgress, k, "a")
			wantError(t, idempotency.ErrOtherRequest, k, "b")
		}
		claim.Finish(t.Context(), first)
		for _, k := range []*idempotency.Keeper{before, during, after} {
			wantAnswer(t, k, "a")
			wantError(t, idempotency.ErrOtherRequest, k, "b")
		}
		mustClaim(t, after, "a key of the new time", "a").Finish(t.Context(), first)
		if _, answer, err := during.Claim(t.Context(), "a key of the new time", "a"); answer == nil || err != nil {
			t.Errorf("a replica that has not got to the second step: %v, %v", answer, err)
		}
		mustClaim(t, keeper(t, store, newKey), clientKey, "a") // the old key is gone, and all that it named
	})
}

// TestWhoKnowsAKeyCanNotTryOutRequests, as they like: whoever sends a password with it learns if it is the one that came first.
func TestWhoKnowsAKeyCanNotTryOutRequests(t *testing.T) {
	c := &clock{now: time.Now()}
	limiter, err := ratelimit.NewMemory(100, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	k, err := idempotency.NewKeeper(idempotency.Options{
		Keys: [][]byte{newKey}, Store: memory(t, 10, 1000, c.Now), Lease: time.Hour, Logger: slog.New(slog.DiscardHandler), Limiter: limiter,
	})
	if err != nil {
		t.Fatal(err)
	}
	mustClaim(t, k, clientKey, "the password").Finish(t.Context(), first)
	for range 30 {
		wantError(t, idempotency.ErrOtherRequest, k, "a guess")
	}
	for _, request := range []string{"a guess", "the password"} {
		_, answer, err := k.Claim(t.Context(), clientKey, request)
		var often *idempotency.TooOftenError
		if !errors.As(err, &often) || often.RetryAfter != 20*time.Second || answer != nil {
			t.Errorf("%s: %v, %v", request, answer, err)
		}
	}
	mustClaim(t, k, "the key of somebody else", "a")
	c.Advance(20 * time.Second)
	wantAnswer(t, k, "the password")
}
