package ratelimit_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
	"clerkql/internal/redistest"
)

// TestRedisGoesByItsOwnClock needs no fake one.
func TestRedisGoesByItsOwnClock(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	c := charge(per(2, time.Second), "k")
	if n := given(t, r, c); n != 2 {
		t.Fatalf("gave %d at once", n)
	}
	d := take(t, r, c)
	if d.OK || d.RetryAfter <= 0 || d.RetryAfter > 500*time.Millisecond {
		t.Fatalf("%+v", d)
	}
	time.Sleep(d.RetryAfter)
	if !take(t, r, c).OK {
		t.Error("refused after RetryAfter")
	}
}

func TestRedisForgetsWhatIsFull(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	take(t, r, charge(per(2, 200*time.Millisecond), "soon"), charge(per(10, time.Hour), "later"))
	ttl := r.Client().PTTL(t.Context(), ratelimit.RedisKey(charge(per(10, time.Hour), "later"))).Val()
	if ttl > 6*time.Minute || ttl < 5*time.Minute {
		t.Errorf("a bucket that is full in 6 minutes expires in %v", ttl)
	}
	time.Sleep(150 * time.Millisecond)
	if left := r.Client().Keys(t.Context(), "*").Val(); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}

func TestReplicasShareBudgets(t *testing.T) {
	server := redistest.Start(t)
	one, other := connect(t, server, 10*time.Second), connect(t, server, 10*time.Second)
	c := charge(per(3, time.Hour), "k")
	take(t, one, c)
	if n := given(t, other, c); n != 2 {
		t.Errorf("the other replica gave %d of 2", n)
	}
	if !spent(t, one, c) {
		t.Error("the first replica does not know")
	}
}

func TestOneTakeIsOneCommand(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	charges := []ratelimit.Charge{charge(per(3, time.Hour), "a"), charge(per(3, time.Hour), "b"), charge(per(3, time.Hour), "c")}
	take(t, r, charges...) // connects, and loads the script
	before := commands(t, r)
	take(t, r, charges...)
	// What the script calls counts, too: TIME, MGET, three SET. So does the first INFO.
	if n := commands(t, r) - before; n != 1+1+5 {
		t.Errorf("%d commands", n)
	}
	// A Redis that has forgotten the script gets it again.
	if err := r.Client().ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if !take(t, r, charges...).OK || take(t, r, charges...).OK {
		t.Error("the budgets changed when Redis forgot the script")
	}
}

// commands returns how many commands a Redis was given, and called in scripts.
func commands(t testing.TB, r *ratelimit.Redis) (n int) {
	t.Helper()
	for _, line := range strings.Split(r.Client().Info(t.Context(), "stats").Val(), "\r\n") {
		_, _ = fmt.Sscanf(line, "total_commands_processed:%d", &n)
	}
	return n
}

// TestGarbageInRedis: somebody else writes where the buckets are.
func TestGarbageInRedis(t *testing.T) {
	s := fakeClockRedis(t)
	client := s.store.(*ratelimit.Redis).Client()
	c := charge(per(3, 3*time.Hour), "k")
	key := ratelimit.RedisKey(c)
	garbage := map[string]struct {
		left  int
		write []any
	}{
		"nothing":         {3, []any{"SET", key, ""}},
		"text":            {3, []any{"SET", key, "text"}},
		"not a number":    {3, []any{"SET", key, "nan"}},
		"long ago":        {3, []any{"SET", key, "-1e300"}},
		"a list":          {3, []any{"RPUSH", key, "1", "2"}},
		"far future":      {0, []any{"SET", key, "9007199254740993"}},
		"farther future":  {0, []any{"SET", key, "1e300"}},
		"infinite":        {0, []any{"SET", key, "inf"}},
		"a bit in future": {0, []any{"SET", key, fmt.Sprint(epoch.Add(4 * time.Hour).UnixMicro())}},
	}
	for name, g := range garbage {
		t.Run(name, func(t *testing.T) {
			if err := client.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			s.advance(0) // writes the clock again
			if err := client.Do(t.Context(), g.write...).Err(); err != nil {
				t.Fatal(err)
			}
			if n := given(t, s.store, c); n != g.left {
				t.Errorf("gave %d, want %d", n, g.left)
			}
			if d := take(t, s.store, c); d != (ratelimit.Decision{RetryAfter: time.Hour}) {
				t.Errorf("then %+v", d)
			}
			if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > 3*time.Hour {
				t.Errorf("expires in %v", ttl)
			}
			s.advance(time.Hour)
			if n := given(t, s.store, c); n != 1 {
				t.Errorf("gave %d an hour later", n)
			}
			s.advance(-time.Hour)
		})
	}
}

// TestRedisClockSetBack: nobody waits longer than for a refill.
func TestRedisClockSetBack(t *testing.T) {
	s := fakeClockRedis(t)
	c := charge(per(3, 3*time.Hour), "k")
	given(t, s.store, c)
	s.advance(-1000 * time.Hour)
	if d := take(t, s.store, c); d != (ratelimit.Decision{RetryAfter: time.Hour}) {
		t.Fatalf("%+v", d)
	}
	s.advance(time.Hour)
	if n := given(t, s.store, c); n != 1 {
		t.Errorf("gave %d", n)
	}
}

// TestGarbageFromRedis: what answers is not Redis, or not well.
func TestGarbageFromRedis(t *testing.T) {
	for _, answer := range []string{
		"", hangUp, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "+OK\r\n", "-ERR no\r\n", ":0\r\n", ":1\r\n", "$-1\r\n", "_\r\n", "*-1\r\n", "*0\r\n", "\x00\xff\x17garbage\r\n",
		"*1\r\n:0\r\n", "*3\r\n:0\r\n:0\r\n:0\r\n", "*2\r\n:0\r\n", "*2\r\n:0\r\n:5\r\n", "*2\r\n:1\r\n:0\r\n", "*2\r\n:1\r\n:-5\r\n", "*2\r\n:2\r\n:5\r\n", "*2\r\n:-1\r\n:5\r\n",
		"*2\r\n:1\r\n:9223372036854775807\r\n", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n*0\r\n*0\r\n", "$5\r\nshort",
	} {
		address, _ := fakeServer(t, answer)
		r := connectTo(t, address, 200*time.Millisecond)
		begin := time.Now()
		d, err := r.Take(t.Context(), []ratelimit.Charge{charge(perHour, "k")})
		if err == nil || d != (ratelimit.Decision{}) {
			t.Errorf("%q: %+v, %v", answer, d, err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%q: took %v", answer, took)
		}
	}
}

// TestNothingIsTriedTwice: what was not answered may have been taken.
func TestNothingIsTriedTwice(t *testing.T) {
	address, calls := fakeServer(t, hangUp)
	r := connectTo(t, address, time.Second)
	if d, err := r.Take(t.Context(), []ratelimit.Charge{charge(perHour, "k")}); err == nil || d.OK {
		t.Errorf("%+v, %v", d, err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// hangUp has a fakeServer close the connection instead of an answer.
const hangUp = "hang up"

// fakeServer answers all that follows the handshake alike, and counts it.
func fakeServer(t *testing.T, answer string) (address string, calls *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	calls = &atomic.Int64{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer, calls)
		}
	}()
	return listener.Addr().String(), calls
}

func serve(conn net.Conn, answer string, calls *atomic.Int64) {
	defer conn.Close()
	for request := make([]byte, 4096); ; {
		n, err := conn.Read(request)
		if err != nil {
			return
		}
		reply := "-ERR unknown command\r\n"
		if !strings.Contains(strings.ToLower(string(request[:n])), "hello") {
			calls.Add(1)
			reply = answer
		}
		if reply == hangUp {
			return
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func TestSlowRedis(t *testing.T) {
	server := redistest.Start(t)
	r := connect(t, server, 100*time.Millisecond)
	c := charge(perHour, "k")
	take(t, r, c)
	server.Hang()
	begin := time.Now()
	if d, err := r.Take(t.Context(), []ratelimit.Charge{c}); err == nil || d.OK {
		t.Errorf("%+v, %v", d, err)
	}
	if took := time.Since(begin); took < 90*time.Millisecond || took > time.Second {
		t.Errorf("took %v of 100ms", took)
	}
}

func TestAClientThatGoesAwayIsNoFailureOfRedis(t *testing.T) {
	r := connect(t, redistest.Start(t), 10*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := r.Take(ctx, []ratelimit.Charge{charge(perHour, "k")}); err != nil || !d.OK {
		t.Errorf("%+v, %v", d, err)
	}
}

func BenchmarkRedis(b *testing.B) {
	r := connect(b, redistest.Start(b), time.Second)
	charges := []ratelimit.Charge{charge(per(1_000_000, time.Hour), "a"), charge(per(1_000_000, time.Minute), "b"), charge(perHour, "c")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Take(b.Context(), charges); err != nil {
			b.Fatal(err)
		}
	}
}
