package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proxy is a HAProxy with the configuration of docs/operations.md, word for word.
type proxy struct {
	url     string
	trusted *x509.CertPool
	log     logFile
}

// logFile is where a log is. HAProxy waits for nobody who reads its log, and leaves out what a pipe has no room for; a file always has.
type logFile string

func (f logFile) String() string {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// startProxy runs a HAProxy in front of three replicas until the test ends. It is installed by `make deps`.
func startProxy(t testing.TB, replicas [3]string) *proxy {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/haproxy") // which is not everybody's PATH
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no haproxy. Install it: apt-get install haproxy")
		}
		fmt.Fprintln(os.Stderr, "*** SKIPPED: no haproxy, so nothing is tested behind a proxy. Install haproxy, or run: make deps ***")
		t.Skip(err)
	}
	address := freeAddress(t)
	p := &proxy{url: "https://" + address, log: logFile(filepath.Join(t.TempDir(), "haproxy.log"))}
	log, err := os.OpenFile(string(p.log), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // which HAProxy then has alone
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	p.trusted = writeCertificate(t, certificate)

	var stderr bytes.Buffer
	process := exec.Command(program, "-db", "-f", "../docs/haproxy.cfg")
	process.Env = environment("LISTEN="+address, "CERTIFICATE="+certificate, "INNER=abns@clerkql-"+address,
		"REPLICA_1="+replicas[0], "REPLICA_2="+replicas[1], "REPLICA_3="+replicas[2])
	process.Stdout, process.Stderr = log, &stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = process.Wait() // the signal below, or else stderr has why
	}()
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		<-ended
		transcript.wrote(t.Name(), p.log.String())
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return p
		}
		select {
		case <-ended:
			t.Fatalf("haproxy ended at once:\n%s", &stderr)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("haproxy does not listen")
		}
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// writeCertificate writes a certificate for 127.0.0.1 with its key, and returns who trusts it.
func writeCertificate(t testing.TB, path string) *x509.CertPool {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	return trusted
}

// client returns a client of the proxy, over HTTP/2 and with this loopback address.
func (p *proxy) client(t testing.TB, ip string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:       (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: p.trusted},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return overheard(transport)
}

// await waits until the last that the proxy noted of a replica, which are counted from 0, is that it is UP or DOWN.
func (p *proxy) await(t testing.TB, replica int, state string) {
	t.Helper()
	noted := regexp.MustCompile(fmt.Sprintf(`(?m)^Server replicas/replica-%d is (\w+)`, replica+1))
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if all := noted.FindAllStringSubmatch(p.log.String(), -1); len(all) > 0 && all[len(all)-1][1] == state {
			return
		}
	}
	t.Fatalf("replica %d is not %s:\n%s", replica, state, p.log)
}

// proxied is a request as the proxy logged it.
type proxied struct {
	client, id, replica, status string
	ended                       string // "--": well
	retries                     string
}

// requests returns the requests that the proxy has logged, in the order in which they ended. There must be so many, sooner or later.
func (p *proxy) requests(t testing.TB, number int) []proxied {
	t.Helper()
	line := regexp.MustCompile(`(?m)^(\S+) (\S+) (\S+) (\d{3}|-1) (\S\S) \S+/\S+/\S+ (\S+) \S+ "\S*"$`)
	var found []proxied
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		found = nil
		for _, match := range line.FindAllStringSubmatch(p.log.String(), -1) {
			found = append(found, proxied{match[1], match[2], strings.TrimPrefix(match[3], "replica-"), match[4], match[5], match[6]})
		}
		if len(found) == number {
			return found
		}
	}
	t.Fatalf("%d requests came through the proxy, want %d:\n%s", len(found), number, p.log)
	return nil
}
