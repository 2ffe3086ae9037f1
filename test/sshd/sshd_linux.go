// SPDX-License-Identifier: Apache-2.0

// Package sshd runs real SSH servers for tests: Debian's openssh-server, as root,
// on the loopback interface, with keys of its own; and puts an ssh first in the
// PATH that knows them.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

const (
	program = "/usr/sbin/sshd" // it insists on an absolute path
	// emptyDir must be there, and is made by Debian when the system starts.
	emptyDir = "/run/sshd"

	startTimeout = time.Minute
	poll         = 10 * time.Millisecond
)

// Server is a running server.
type Server struct {
	// Address is host:port.
	Address string

	tb  testing.TB
	dir string
}

// Start runs a server until the test ends. A client that can log in is the user of the
// test, by a key. The PATH is changed until then.
func Start(tb testing.TB) *Server {
	tb.Helper()
	realengine.NotShort(tb)
	for _, needed := range []string{program, "ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(needed); err != nil {
			tb.Fatal("a real SSH server is needed: apt-get install openssh-server openssh-client")
		}
	}
	s := &Server{tb: tb, dir: tb.TempDir()}
	s.makeEmptyDir()
	s.keygen("host")
	s.keygen("user")
	s.Address = s.freeAddress()
	s.writeConfigs()
	s.run()
	return s
}

// Endpoint returns the server as the endpoint of an engine whose socket is path.
func (s *Server) Endpoint(path string) string { return "ssh://root@" + s.Address + path }

// SetDockerHost sets the engine that the docker command uses on the server.
func (s *Server) SetDockerHost(host string) {
	s.write("authorized_keys", fmt.Sprintf(`command="DOCKER_HOST='%s' sh -c \"$SSH_ORIGINAL_COMMAND\"" %s`, host, s.read("user.pub")))
}

// Lock makes the user's key unknown to the server.
func (s *Server) Lock() { s.write("authorized_keys", "") }

// Unlock undoes Lock.
func (s *Server) Unlock() { s.write("authorized_keys", s.read("user.pub")) }

// Forget makes the server unknown to the client.
func (s *Server) Forget() { s.write("known_hosts", "") }

// Remember undoes Forget.
func (s *Server) Remember() {
	host, port, _ := net.SplitHostPort(s.Address)
	s.write("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, s.read("host.pub")))
}

// Clients returns the IDs of the ssh processes that are connected.
func (s *Server) Clients() []int {
	var ids []int
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), s.file("ssh_config")) {
			continue
		}
		var id int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &id); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) read(name string) string {
	s.tb.Helper()
	data, err := os.ReadFile(s.file(name))
	if err != nil {
		s.tb.Fatal(err)
	}
	return string(data)
}

func (s *Server) write(name, text string) {
	s.tb.Helper()
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Server) makeEmptyDir() {
	s.tb.Helper()
	// It stays, empty, as Debian's own service leaves it: a test of another package may
	// run a server at the same time.
	if err := os.Mkdir(emptyDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		s.tb.Fatal("a real SSH server is needed, which only root can start here: run the tests as root: ", err)
	}
}

func (s *Server) keygen(name string) {
	s.tb.Helper()
	out, err := exec.CommandContext(s.tb.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.file(name)).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("make a key: %v: %s", err, out)
	}
}

func (s *Server) freeAddress() string {
	s.tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(s.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func (s *Server) writeConfigs() {
	s.tb.Helper()
	s.write("sshd_config", fmt.Sprintf(`ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
`, s.Address, s.file("host"), s.file("authorized_keys")))
	s.write("ssh_config", fmt.Sprintf(`IdentityFile %s
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile %s
GlobalKnownHostsFile none
`, s.file("user"), s.file("known_hosts")))
	s.Unlock()
	s.Remember()
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		s.tb.Fatal(err)
	}
	// ssh takes its configuration from the home directory that the user has in
	// the system, whatever HOME is.
	bin := s.file("bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		s.tb.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", ssh, s.file("ssh_config"))
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func (s *Server) run() {
	s.tb.Helper()
	log, err := os.Create(s.file("log"))
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.Background(), program, "-D", "-e", "-f", s.file("sshd_config"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.tb.Failed() {
			s.tb.Logf("sshd: %s", s.read("log"))
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(poll) {
		conn, err := (&net.Dialer{}).DialContext(s.tb.Context(), "tcp", s.Address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.tb.Fatalf("sshd does not answer: %v: %s", err, s.read("log"))
		}
	}
}
