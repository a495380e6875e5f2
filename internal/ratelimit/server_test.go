package ratelimit_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"clerkql/internal/ratelimit"
)

// redisServer is a real Redis that a test owns, and can kill.
type redisServer struct {
	t       testing.TB
	binary  string
	address string
	process *exec.Cmd
}

// startRedis starts a Redis that keeps nothing and ends with the test.
func startRedis(t testing.TB) *redisServer {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server. Install it: apt-get install redis-server")
		}
		t.Skip("SKIPPED: no redis-server, so nothing is tested against Redis. Install it: apt-get install redis-server, or make deps")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &redisServer{t: t, binary: binary, address: listener.Addr().String()}
	listener.Close()
	server.start()
	t.Cleanup(server.kill)
	return server
}

// start starts it, with nothing in it, and waits until it answers.
func (s *redisServer) start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = exec.Command(s.binary, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for begin := time.Now(); !s.answers(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			s.t.Fatal("redis-server does not answer")
		}
	}
}

func (s *redisServer) answers() bool {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	fmt.Fprint(conn, "PING\r\n")
	answer := make([]byte, 7)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, err = conn.Read(answer)
	return err == nil && string(answer) == "+PONG\r\n"
}

// kill ends it as a crash would.
func (s *redisServer) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// redis returns a client of its own for a server.
func (s *redisServer) redis(timeout time.Duration) *ratelimit.Redis {
	s.t.Helper()
	r, err := ratelimit.NewRedis("redis://"+s.address, timeout)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.Close() })
	return r
}

// hang has it answer nothing, until goOn.
func (s *redisServer) hang() { s.signal(syscall.SIGSTOP) }
func (s *redisServer) goOn() { s.signal(syscall.SIGCONT) }

func (s *redisServer) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}
