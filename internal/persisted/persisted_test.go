package persisted_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"clerkql/internal/persisted"
	"clerkql/internal/redistest"
	"clerkql/internal/sharedredis"
)

const room = 10

func memory(t testing.TB) *persisted.Memory {
	t.Helper()
	m, err := persisted.NewMemory(room)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func connect(t testing.TB, server *redistest.Server) *sharedredis.Conn {
	t.Helper()
	conn, err := sharedredis.Connect("redis://"+server.Address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func fallback(t testing.TB, server *redistest.Server, pause time.Duration) *persisted.Fallback {
	t.Helper()
	return persisted.NewFallback(persisted.NewRedis(connect(t, server), room), memory(t), sharedredis.NewOutage(pause, time.Now, slog.New(slog.DiscardHandler)))
}

func put(t testing.TB, store persisted.Store, document string) {
	t.Helper()
	if err := store.Put(t.Context(), document); err != nil {
		t.Fatal(err)
	}
}

func has(t testing.TB, store persisted.Store, document string) bool {
	t.Helper()
	found, err := store.Get(t.Context(), persisted.Hash(document))
	if err != nil || found != "" && found != document {
		t.Errorf("%q, %v", found, err)
	}
	return found == document
}

func TestStores(t *testing.T) {
	for name, store := range map[string]func(t *testing.T) persisted.Store{
		"memory":   func(t *testing.T) persisted.Store { return memory(t) },
		"redis":    func(t *testing.T) persisted.Store { return persisted.NewRedis(connect(t, redistest.Start(t)), room) },
		"fallback": func(t *testing.T) persisted.Store { return fallback(t, redistest.Start(t), time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			s := store(t)
			if has(t, s, "a") {
				t.Error("there is what nobody put")
			}
			long, longer := strings.Repeat("a", 8<<10), strings.Repeat("a", 8<<10+1)
			for _, document := range []string{"a", long, longer} {
				put(t, s, document)
			}
			if !has(t, s, "a") || !has(t, s, long) || has(t, s, longer) {
				t.Error("documents of 8 KB are kept, and no longer ones")
			}
			for i := range room {
				put(t, s, fmt.Sprint(i))
				put(t, s, fmt.Sprint(i)) // which takes no more room
			}
			for i := range room {
				if !has(t, s, fmt.Sprint(i)) {
					t.Errorf("document %d is gone", i)
				}
			}
			if has(t, s, "a") || has(t, s, long) {
				t.Error("there is more than there is room for")
			}
		})
	}
	if _, err := persisted.NewMemory(0); err == nil {
		t.Error("a memory without room")
	}
}

func TestRedisIsBounded(t *testing.T) {
	server := redistest.Start(t)
	conn := connect(t, server)
	s := persisted.NewRedis(conn, room)
	for i := range 5 * room {
		put(t, s, fmt.Sprint(i))
	}
	keys := conn.Client.Keys(t.Context(), "*").Val()
	if len(keys) != 2 {
		t.Errorf("keys %q", keys)
	}
	for _, key := range keys {
		n := conn.Client.HLen(t.Context(), key).Val() + conn.Client.ZCard(t.Context(), key).Val()
		if ttl := conn.Client.TTL(t.Context(), key).Val(); n != room || ttl <= 23*time.Hour || ttl > 24*time.Hour {
			t.Errorf("%s has %d, and expires in %v", key, n, ttl)
		}
	}
	// It stays bounded if either key is lost.
	for _, key := range keys {
		conn.Client.Del(t.Context(), key)
		for i := range 2 * room {
			put(t, s, fmt.Sprint("after ", key, i))
		}
		if hashed, ordered := conn.Client.HLen(t.Context(), "clerkql:{documents}").Val(), conn.Client.ZCard(t.Context(), "clerkql:{documents}:order").Val(); hashed != room || ordered != room {
			t.Errorf("without %s, %d documents are kept, and the order of %d", key, hashed, ordered)
		}
	}
	// What others put there is none.
	forged := conn.Client.HSet(t.Context(), "clerkql:{documents}", persisted.Hash("a"), "b")
	if found, err := s.Get(t.Context(), persisted.Hash("a")); found != "" || err != nil || forged.Err() != nil {
		t.Errorf("%q, %v, %v", found, err, forged.Err())
	}
}

func TestReplicasShareDocuments(t *testing.T) {
	server := redistest.Start(t)
	one, other := fallback(t, server, 10*time.Millisecond), fallback(t, server, 10*time.Millisecond)
	put(t, one, "a")
	if !has(t, other, "a") {
		t.Error("not shared")
	}
	server.Kill()
	if !has(t, one, "a") || !has(t, other, "a") || has(t, other, "b") {
		t.Error("in an outage, each has what it had")
	}
	put(t, one, "b")
	if !has(t, one, "b") || has(t, other, "b") {
		t.Error("in an outage, what one is told, the other is not")
	}
	server.Restart()
	client := redis.NewClient(&redis.Options{Addr: server.Address})
	defer client.Close()
	deadline := time.Now().Add(10 * time.Second)
	for i := 0; client.Exists(t.Context(), "clerkql:{documents}").Val() == 0; i++ {
		if time.Now().After(deadline) {
			t.Fatal("not shared again")
		}
		time.Sleep(20 * time.Millisecond)
		put(t, one, fmt.Sprint("later ", i%3, i))
	}
}
