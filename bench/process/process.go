// Package process runs the programs that are measured, and tells what they use of the machine, as Linux counts it.
package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticksPerSecond is the unit of times in /proc, on every Linux.
const ticksPerSecond = 100

// stopTimeout is how long a program may take to end.
const stopTimeout = 10 * time.Second

// Program is how a program is run.
type Program struct {
	Path string
	Args []string
	// Env is all of its environment, but for PATH.
	Env []string
	// Dir is where it runs; empty: where this program does.
	Dir string
	// Log is where its standard error goes; nil: where this program's does.
	Log *os.File
}

// Process is a program that runs.
type Process struct {
	cmd    *exec.Cmd
	Stdin  io.WriteCloser
	Stdout *bufio.Reader
}

// Start runs a program.
func Start(program Program) (*Process, error) {
	cmd := exec.Command(program.Path, program.Args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, program.Env...)
	cmd.Dir = program.Dir
	cmd.Stderr = os.Stderr
	if program.Log != nil {
		cmd.Stderr = program.Log
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Process{cmd: cmd, Stdin: stdin, Stdout: bufio.NewReader(stdout)}, nil
}

// Build builds a program of this module into a folder, and returns where it is.
func Build(dir, importPath string, flags ...string) (path string, err error) {
	path = filepath.Join(dir, filepath.Base(importPath))
	args := append([]string{"build", "-o", path}, append(flags, importPath)...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
}

// FreeAddr returns an address of the loopback interface that nobody listens on at present.
func FreeAddr() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// Stop ends the program and waits until it has ended: as it ends by itself when it is asked to, or else at once.
func (p *Process) Stop() {
	_ = p.Stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	impatient := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer impatient.Stop()
	_ = p.cmd.Wait() // "signal: terminated", as it should be
}

// CPU returns how much time of processors the program has used so far, to a hundredth of a second.
func (p *Process) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in parentheses, may have spaces in it. Times are fields 14 and 15, and the field after it is 3.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system = 14 - 3, 15 - 3
	if len(fields) <= system {
		return 0, errors.New("a line in /proc is too short")
	}
	var ticks int64
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// RSS returns how many bytes of memory the program has at present.
func (p *Process) RSS() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if size, found := strings.CutPrefix(line, "VmRSS:"); found {
			kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(size), " kB"))
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("/proc tells no VmRSS")
}
