// SPDX-License-Identifier: Apache-2.0

// Package dockerd runs real engines with Docker's API for tests, as root, each
// in directories and on a socket of its own: Debian's docker.io, the newest
// Docker engine, and Podman.
package dockerd

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

// Image is in every engine: a static busybox.
const Image = realengine.Image

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

	tb      testing.TB
	cfg     Config
	dir     string
	socket  string
	port    string // for TLS
	room    *room  // nil for none
	process *realengine.Process
}

// Start runs an engine until the test ends. Where its program is not there, or
// no right to run it, the test fails: it has nothing to test.
func Start(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	realengine.NotShort(tb)
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
	e := &Engine{tb: tb, cfg: cfg, dir: dir, socket: filepath.Join(dir, "d.sock"),
		process: realengine.NewProcess(cfg.Program.String(), filepath.Join(dir, "log"))}
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

// freePort returns a port that is free, of those that the kernel gives to no
// connection: the engine takes it later, and once more after each end.
func (e *Engine) freePort() string {
	e.tb.Helper()
	var err error
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(10000))
		var listener net.Listener
		if listener, err = (&net.ListenConfig{}).Listen(e.tb.Context(), "tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			_ = listener.Close()
			return port
		}
	}
	e.tb.Fatal(err)
	return ""
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
	cmd, err := e.command()
	if err != nil {
		return err
	}
	return e.process.Start(cmd, func() bool {
		_, err := e.Client.Ping(context.Background(), client.PingOptions{})
		return err == nil
	})
}

// Kill ends the engine with SIGKILL. Its containers' processes may live on.
func (e *Engine) Kill() { e.process.Kill() }

// Stop ends the engine gently, with its containers.
func (e *Engine) Stop() { e.process.Stop() }

func (e *Engine) importBusybox() {
	e.tb.Helper()
	if err := ImportBusybox(context.Background(), e.Client); err != nil {
		e.tb.Fatal(err)
	}
}

// ImportBusybox makes Image in an engine, as no registry is needed for it.
func ImportBusybox(ctx context.Context, engine *client.Client) error {
	root, err := realengine.Root()
	if err != nil {
		return err
	}
	result, err := engine.ImageImport(ctx,
		client.ImageImportSource{Source: bytes.NewReader(root), SourceName: "-"}, Image, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = result.Close() }()
	_, err = io.Copy(io.Discard, result)
	return err
}

// cleanup leaves nothing behind: no container, process, mount or file.
func (e *Engine) cleanup() {
	ctx, cancel := context.WithTimeout(context.Background(), realengine.StopTimeout)
	defer cancel()
	if e.process.Ended() {
		_ = e.start() // a killed engine's containers run on, and only it knows them
	}
	if list, err := e.Client.ContainerList(ctx, client.ContainerListOptions{All: true}); err == nil {
		for _, c := range list.Items {
			_, _ = e.Client.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true})
		}
	}
	_ = e.Client.Close()
	e.Stop()
	realengine.KillLeftovers(e.dir)
	e.room.leave()
	realengine.UnmountAll(e.dir)
	if e.cfg.Program == Podman {
		removeControlGroups()
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.tb.Errorf("the engine's directory is left behind: %v", err)
	}
}
