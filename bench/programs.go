package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"clerkql/bench/flows"
	"clerkql/bench/load"
	"clerkql/bench/process"
	"clerkql/bench/settings"
	"clerkql/bench/stub"
)

// The names of what is measured.
const (
	clerkQL = "ClerkQL"
	sdk     = "SDK alone"
	route   = "Go route"
	rest    = "Node route"
	yoga    = "Node Yoga"
)

// startTimeout is how long a server may take to its first answer.
const startTimeout = 30 * time.Second

// programs are what is run, and where.
type programs struct {
	dir     string // for what is built, and logs
	self    string // this program
	server  string // ClerkQL
	nodeDir string // the folder of the programs in Node
}

// build builds ClerkQL. What the programs in Node need has been installed.
func build(plan plan) (*programs, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "clerkql-bench-")
	if err != nil {
		return nil, err
	}
	p := &programs{dir: dir, self: self}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	p.nodeDir = filepath.Join(strings.TrimSpace(string(module)), "bench", "node")
	if p.server, err = process.Build(dir, "clerkql", plan.buildFlags...); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *programs) close() error { return os.RemoveAll(p.dir) }

// servers returns the names of the servers that a plan measures.
func (p plan) servers() []string {
	if p.node {
		return []string{clerkQL, route, rest, yoga}
	}
	return []string{clerkQL, route}
}

// api returns how a server is asked.
func api(name string) flows.API {
	if name == clerkQL || name == yoga {
		return flows.GraphQL{}
	}
	return flows.REST{}
}

// clerkStub is a stub of Clerk in its process.
type clerkStub struct {
	*process.Process
	stub.Control
	url string
}

func (p *programs) startStub() (*clerkStub, error) {
	started, err := process.Start(process.Program{Path: p.self, Args: []string{"stub"}})
	if err != nil {
		return nil, err
	}
	urls, err := stub.ReadURLs(started.Stdout)
	if err != nil {
		started.Stop()
		return nil, err
	}
	return &clerkStub{started, urls.Control(), urls.Clerk}, nil
}

// server is a server that is measured.
type server struct {
	*process.Process
	name, addr string
	log        *os.File
	firstReply time.Duration // from its start
}

// start starts a server in front of a Clerk, and waits for its first answer.
func (p *programs) start(name, clerkURL, secretKey string) (*server, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr) // of an address that was listened on
	// What it logs goes to a file, as a collector of logs would read it.
	log, err := os.OpenFile(filepath.Join(p.dir, "log-"+port), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	nodeEnv := []string{"NODE_ENV=production", "CLERK_API_URL=" + clerkURL, "CLERK_SECRET_KEY=" + secretKey}
	program := map[string]process.Program{
		clerkQL: {Path: p.server, Args: []string{"serve"}, Env: settings.Serve(addr, clerkURL, secretKey)},
		route:   {Path: p.self, Args: []string{"route", addr, clerkURL, secretKey}},
		rest:    {Path: "node", Args: []string{"rest.mjs", port}, Env: nodeEnv, Dir: p.nodeDir},
		yoga:    {Path: "node", Args: []string{"yoga.mjs", port}, Env: nodeEnv, Dir: p.nodeDir},
	}[name]
	program.Log = log
	began := time.Now()
	started, err := process.Start(program)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	s := &server{Process: started, name: name, addr: addr, log: log}
	err = load.FirstAnswer(addr, api(name).Request(flows.Viewer, 0, flows.Session{}), startTimeout)
	s.firstReply = time.Since(began)
	if err != nil {
		s.Stop()
		said, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return s, nil
}

// Stop ends the server.
func (s *server) Stop() {
	s.Process.Stop()
	_ = s.log.Close()
}

// forgetLog keeps the log from filling the disk.
func (s *server) forgetLog() error { return s.log.Truncate(0) }
