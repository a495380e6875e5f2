// Package redistest runs a real Redis for tests.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Server is a real Redis that a test owns, and can kill.
type Server struct {
	t      testing.TB
	binary string
	// Address is its host and port.
	Address string
	process *exec.Cmd
}

// Start starts a Redis that keeps nothing and ends with the test.
func Start(t testing.TB) *Server {
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
	server := &Server{t: t, binary: binary, Address: listener.Addr().String()}
	listener.Close()
	server.Restart()
	t.Cleanup(server.Kill)
	return server
}

// Restart starts it, with nothing in it, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Address)
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

func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Address, time.Second)
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

// Kill ends it as a crash would.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// Hang has it answer nothing, until GoOn.
func (s *Server) Hang() { s.signal(syscall.SIGSTOP) }

// GoOn has it answer again.
func (s *Server) GoOn() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}
