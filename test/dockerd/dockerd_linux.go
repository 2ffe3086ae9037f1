// SPDX-License-Identifier: Apache-2.0

// Package dockerd runs real engines with Docker's API for tests, as root, each
// in directories and on a socket of its own: Debian's docker.io, the newest
// Docker engine, and Podman.
package dockerd

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

const (
	// Image is in every engine: a static busybox.
	Image = "busybox:latest"

	startTimeout = time.Minute
	stopTimeout  = 30 * time.Second
	poll         = 20 * time.Millisecond

	// busybox is where Debian's busybox-static has it.
	busybox = "/bin/busybox"
)

// Config says what kind of engine to run.
type Config struct {
	// Program is the engine; Debian's dockerd where it is not set.
	Program Program
	// Network gives containers a bridge with published ports, in a network that
	// is the engine's own: tests don't reach the ports.
	Network bool
	// TLS has the engine listen at [Engine.TLSEndpoint] too; nil for no.
	TLS *TLS
}

// TLS is what an engine proves itself with, and what it asks of its clients. All
// are in PEM.
type TLS struct {
	// CA has signed the certificates of clients.
	CA []byte
	// Cert, with Key, must be for 127.0.0.1.
	Cert, Key []byte
}

// Engine is a running engine.
type Engine struct {
	Client *client.Client

	tb     testing.TB
	cfg    Config
	dir    string
	socket string
	port   string // for TLS
	room   *room  // nil for none
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start runs an engine until the test ends. Where its program is not there, or
// no right to run it, the test fails: it has nothing to test.
func Start(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("a real Docker engine is needed, which only root can start: run the tests as root")
	}
	if err := cfg.Program.installed(); err != nil {
		tb.Fatalf("%s is needed: %v", cfg.Program, err)
	}
	dir, err := os.MkdirTemp("", "rdd-dockerd-") // short, for sockets
	if err != nil {
		tb.Fatal(err)
	}
	e := &Engine{tb: tb, cfg: cfg, dir: dir, socket: filepath.Join(dir, "d.sock")}
	e.Client, err = client.New(client.WithHost(e.Endpoint()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.cleanup)
	if cfg.TLS != nil {
		e.port = e.freePort()
	}
	if cfg.Program != Debian || cfg.Network {
		if e.room, err = enterRoom(); err != nil {
			tb.Fatal(err)
		}
	}
	e.Start()
	e.importBusybox()
	return e
}

// Endpoint returns where the engine listens.
func (e *Engine) Endpoint() string { return "unix://" + e.socket }

// TLSEndpoint returns where the engine listens with TLS.
func (e *Engine) TLSEndpoint() string { return "tcp://127.0.0.1:" + e.port }

// SetTLS changes what the engine proves itself with, from its next Start on.
func (e *Engine) SetTLS(tls TLS) { e.cfg.TLS = &tls }

func (e *Engine) freePort() string {
	e.tb.Helper()
	listener, err := (&net.ListenConfig{}).Listen(e.tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		e.tb.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// tlsArgs writes the files for TLS, and returns the arguments for it.
func (e *Engine) tlsArgs() []string {
	e.tb.Helper()
	if e.cfg.TLS == nil {
		return nil
	}
	args := []string{"-H", e.TLSEndpoint(), "--tlsverify"}
	for _, file := range []struct {
		flag string
		data []byte
	}{{"tlscacert", e.cfg.TLS.CA}, {"tlscert", e.cfg.TLS.Cert}, {"tlskey", e.cfg.TLS.Key}} {
		path := filepath.Join(e.dir, file.flag)
		if err := os.WriteFile(path, file.data, 0o600); err != nil {
			e.tb.Fatal(err)
		}
		args = append(args, "--"+file.flag, path)
	}
	return args
}

// Listen opens a port that the engine reaches at the listener's address.
func (e *Engine) Listen() net.Listener {
	e.tb.Helper()
	listener, err := e.room.listen()
	if err != nil {
		e.tb.Fatal(err)
	}
	return listener
}

// Start starts the engine again after Kill or Stop, and waits until it answers.
func (e *Engine) Start() {
	e.tb.Helper()
	if err := e.start(); err != nil {
		e.tb.Fatal(err)
	}
}

func (e *Engine) start() error {
	// What a killed engine left. Its containerd died with it, and may stay a
	// zombie for a while, which the next dockerd would take for alive.
	_ = os.Remove(filepath.Join(e.dir, "pid"))
	_ = os.Remove(filepath.Join(e.dir, "exec", "containerd", "containerd.pid"))
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if e.cmd, err = e.command(); err != nil {
		return err
	}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	// It dies with the test, however that ends.
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		return err
	}
	e.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		defer close(exited)
		_ = cmd.Wait()
	}(e.cmd, e.exited)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(poll) {
		if _, err := e.Client.Ping(context.Background(), client.PingOptions{}); err == nil {
			return nil
		}
		if e.ended() {
			return fmt.Errorf("%s ended: %s", e.cfg.Program, e.logTail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %s", e.cfg.Program, e.logTail())
		}
	}
}

// ended reports whether the engine does not run, as it was killed, or never
// did.
func (e *Engine) ended() bool {
	if e.exited == nil {
		return true
	}
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// Kill ends the engine with SIGKILL. Its containers' processes may live on.
func (e *Engine) Kill() {
	_ = e.cmd.Process.Kill()
	<-e.exited
}

// Stop ends the engine gently, with its containers.
func (e *Engine) Stop() {
	if e.ended() {
		return
	}
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
	case <-time.After(stopTimeout):
		e.Kill()
	}
}

func (e *Engine) logTail() string {
	data, _ := os.ReadFile(filepath.Join(e.dir, "log"))
	return string(data[max(0, len(data)-2000):])
}

func (e *Engine) importBusybox() {
	e.tb.Helper()
	if err := ImportBusybox(context.Background(), e.Client); err != nil {
		e.tb.Fatal(err)
	}
}

// ImportBusybox makes Image in an engine, as no registry is needed for it.
func ImportBusybox(ctx context.Context, engine *client.Client) error {
	root, err := busyboxRoot()
	if err != nil {
		return fmt.Errorf("make an image: %w (apt-get install busybox-static)", err)
	}
	result, err := engine.ImageImport(ctx,
		client.ImageImportSource{Source: root, SourceName: "-"}, Image, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = result.Close() }()
	_, err = io.Copy(io.Discard, result)
	return err
}

// busyboxRoot returns a file system, as a tar archive, with busybox in it.
func busyboxRoot() (io.Reader, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	files := []tar.Header{{Name: "bin/busybox", Mode: 0o755, Size: int64(len(program))}}
	for _, applet := range strings.Fields("sh sleep true false echo cat kill touch test stty grep") {
		files = append(files, tar.Header{Name: "bin/" + applet, Linkname: "busybox", Typeflag: tar.TypeSymlink, Mode: 0o777})
	}
	for _, header := range files {
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if header.Size > 0 {
			if _, err := w.Write(program); err != nil {
				return nil, err
			}
		}
	}
	return &archive, w.Close()
}

// cleanup leaves nothing behind: no container, process, mount or file.
func (e *Engine) cleanup() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if e.ended() {
		_ = e.start() // a killed engine's containers run on, and only it knows them
	}
	if list, err := e.Client.ContainerList(ctx, client.ContainerListOptions{All: true}); err == nil {
		for _, c := range list.Items {
			_, _ = e.Client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true})
		}
	}
	_ = e.Client.Close()
	e.Stop()
	e.killLeftovers()
	e.room.leave()
	e.unmountAll()
	if e.cfg.Program == Podman {
		removeControlGroups()
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.tb.Errorf("the engine's directory is left behind: %v", err)
	}
}

// killLeftovers ends what a killed engine left running: everything that has
// its directory on the command line.
func (e *Engine) killLeftovers() {
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range processes {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), e.dir) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmountAll unmounts everything below the engine's directory, the newest mount
// first.
func (e *Engine) unmountAll() {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], e.dir) {
			if err := syscall.Unmount(fields[4], syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
				e.tb.Logf("unmount %s: %v", fields[4], err)
			}
		}
	}
}
