// SPDX-License-Identifier: Apache-2.0

// Package fakedocker is a simulated Docker Engine: a server of the part of its
// API that RDD and the docker CLI use for containers, images, volumes, networks
// and events, with no process or file system behind it. Tests and benchmarks use it
// for as many containers as they like, and for faults that a real engine can't
// be made to produce.
//
// It answers as a dockerd 20.10 (API 1.41) does, in texts, codes, and the order
// and attributes of events. A process in one of its containers runs until it is
// configured otherwise, and ends at once on any signal that ends a process. Whichever
// network a container is created with exists; a network's ID is a hash of its name.
// There are no logs, attach or exec.
//
// Everything may be used by any number of goroutines at once.
package fakedocker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxSocketPath is what fits into sun_path everywhere (104 bytes on macOS and
// the BSDs, with the closing zero).
const maxSocketPath = 103

// Config describes a simulated engine.
type Config struct {
	// ID is the engine's name for itself; made up if empty.
	ID string
	// APIVersion is the highest that it speaks: 1.41 if empty.
	APIVersion string
	// Version of the engine: 20.10.24 if empty.
	Version string
	// Clock is the engine's: [time.Now] if nil. It must not call the server.
	Clock func() time.Time
}

// Server is a simulated engine. Its objects live as long as it does, however
// often it is stopped and started.
type Server struct {
	apiVersion string
	apiMinor   int
	version    string
	clock      func() time.Time
	routes     routes

	life sync.Mutex // guards what follows, and is held through a stop
	path string
	run  *engineRun // nil while stopped

	mu     sync.Mutex // guards what follows; never held while waiting
	id     string
	place  place
	ctrs   containers
	imgs   images
	vols   volumes
	nets   networks
	bus    bus
	faults faults
	hangs  hangs
}

// New returns an engine without objects that is not reachable yet.
func New(cfg Config) *Server {
	s := &Server{
		version: cmp.Or(cfg.Version, "20.10.24"),
		clock:   cfg.Clock,
		routes:  newRoutes(),
		id:      cmp.Or(cfg.ID, newHexID()),
		ctrs:    newContainers(),
		imgs:    newImages(),
		vols:    volumes{byName: map[string]*vol{}},
		bus:     newBus(),
		faults:  newFaults(),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.nets = newNetworks(s.clock().UTC())
	s.SetAPIVersion(cmp.Or(cfg.APIVersion, "1.41"))
	return s
}

// SetAPIVersion makes it another engine's program, while it is stopped.
func (s *Server) SetAPIVersion(version string) {
	_, minor, _ := strings.Cut(version, ".")
	s.apiVersion = version
	s.apiMinor, _ = strconv.Atoi(minor)
}

// Run returns an engine that listens on a socket in a directory of its own, and
// ends with the test.
func Run(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fd")
	if err == nil && len(filepath.Join(dir, "d.sock")) > maxSocketPath {
		_ = os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "fd")
	}
	if err != nil {
		tb.Fatalf("make a directory for the simulated engine: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := New(cfg)
	if err := s.ListenUnix(filepath.Join(dir, "d.sock")); err != nil {
		tb.Fatalf("start the simulated engine: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Endpoint returns where the engine is, or was last, as in DOCKER_HOST.
func (s *Server) Endpoint() string {
	s.life.Lock()
	defer s.life.Unlock()
	return "unix://" + s.path
}

// ListenUnix starts to serve on a Unix socket, and returns once clients can
// connect. There must be no file at the path.
func (s *Server) ListenUnix(path string) error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.run != nil {
		return errors.New("the simulated engine listens already")
	}
	return s.listenLocked(path)
}

func (s *Server) listenLocked(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen at %s: %w", path, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &engineRun{cancel: cancel, served: make(chan struct{})}
	run.http = &http.Server{
		Handler:     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(run, w, r) }),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	s.path, s.run = path, run
	go func() {
		defer close(run.served)
		_ = run.http.Serve(listener) // always ends with an error, of the stop
	}()
	return nil
}

// Stop is what it is to clients when the engine's process is killed: their
// connections break and the socket is gone. The events so far are forgotten,
// the objects are kept as they are. It returns when all of it has ended, and
// does nothing to a stopped engine.
func (s *Server) Stop() {
	s.life.Lock()
	defer s.life.Unlock()
	s.stopLocked()
}

// Close is the last [Server.Stop].
func (s *Server) Close() { s.Stop() }

// Restart stops the engine, if it runs, and starts it at the same socket.
func (s *Server) Restart() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.path == "" {
		return errors.New("the simulated engine was never started")
	}
	s.stopLocked()
	return s.listenLocked(s.path)
}

func (s *Server) stopLocked() {
	if s.run == nil {
		return
	}
	s.run.stop()
	s.run = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bus.forget()
}

// engineRun is the engine between a start and a stop.
type engineRun struct {
	http   *http.Server
	cancel context.CancelFunc // ends what waits in handlers
	served chan struct{}

	mu       sync.Mutex // guards closed, and that no handler starts after it
	closed   bool
	handlers sync.WaitGroup
}

// enter reports whether a handler may run; it then must call leave.
func (r *engineRun) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.handlers.Add(1)
	return true
}

func (r *engineRun) leave() { r.handlers.Done() }

func (r *engineRun) stop() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	// The connections go first: a handler that still ends well must not be able
	// to end its answer well.
	_ = r.http.Close()
	r.cancel()
	<-r.served
	r.handlers.Wait()
}
