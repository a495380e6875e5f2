package e2e

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real Redis that a test owns, and can kill.
type redisServer struct {
	addr    string
	dir     string
	process *exec.Cmd
}

// startRedis starts a Redis that keeps nothing and ends with the test.
func startRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server. Install it: apt-get install redis-server")
		}
		t.Skip("SKIPPED: no redis-server, so nothing is tested against Redis. Install it: apt-get install redis-server, or make deps")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &redisServer{addr: listener.Addr().String(), dir: t.TempDir()}
	listener.Close()
	server.start(t)
	t.Cleanup(func() { server.kill(t) })
	return server
}

// start starts it, with nothing in it, and waits until it answers.
func (s *redisServer) start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	client := s.client()
	defer client.Close()
	for deadline := time.Now().Add(10 * time.Second); client.Ping(t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
}

func (s *redisServer) client() *redis.Client { return redis.NewClient(&redis.Options{Addr: s.addr}) }

// kill ends it at once.
func (s *redisServer) kill(t testing.TB) {
	t.Helper()
	if s.process.ProcessState != nil {
		return
	}
	if err := s.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = s.process.Wait() // "signal: killed", as it should be
}

// keys returns all keys in it.
func (s *redisServer) keys(t testing.TB) []string {
	t.Helper()
	client := s.client()
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
