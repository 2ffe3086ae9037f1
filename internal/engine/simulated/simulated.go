// SPDX-License-Identifier: Apache-2.0

// Package simulated is an [engine.Engine] that serves the objects in a file, for GUIs
// and tests without a container engine. docs/simulated.md describes the file.
//
// The file is read again when it changes. A removed object stays hidden, and a
// container keeps the state of the last action, until its entry in the file changes or
// the engine is opened again; the file is never written.
package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
)

// Version is the version that simulated engines report.
const Version = "simulated"

var errClosed = errors.New("the connection was closed")

// Config configures an [Engine].
type Config struct {
	// Endpoint is file:///path; file:///C:/path on Windows.
	Endpoint string
}

// Engine serves the objects in a file.
type Engine struct {
	path   string
	closed chan struct{}
	end    func() // closes closed

	mu      sync.Mutex
	read    bool                   // guarded by mu; the file was read, or failed to be
	digest  [sha256.Size]byte      // guarded by mu; of what was read last
	failure error                  // guarded by mu; why there is nothing to serve
	file    world                  // guarded by mu; what the file said when it last was valid
	removed map[part]engine.Object // guarded by mu; as they were then
	acted   map[engine.Key]acted   // guarded by mu; containers whose state was changed
	served  world                  // guarded by mu; the file without what was removed, replaced and never changed
	history history                // guarded by mu
}

var _ engine.Engine = (*Engine)(nil)

// New returns an engine for the file at the endpoint. It does not read it.
func New(cfg Config) (*Engine, error) {
	address, err := endpoint.Parse(cfg.Endpoint, traits.Simulated().Schemes...)
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", cfg.Endpoint, err)
	}
	closed := make(chan struct{})
	return &Engine{
		path:    address.Path,
		closed:  closed,
		end:     sync.OnceFunc(func() { close(closed) }),
		removed: map[part]engine.Object{},
		acted:   map[engine.Key]acted{},
		history: newHistory(),
	}, nil
}

// Close implements [engine.Engine].
func (e *Engine) Close() error {
	e.end()
	return nil
}

// Info implements [engine.Engine]. It reads a changed file, so that it also notices
// changes without an event of the file system.
func (e *Engine) Info(context.Context) (engine.Info, error) {
	if err := e.load(); err != nil {
		return engine.Info{}, err
	}
	sum := sha256.Sum256([]byte(e.path))
	return engine.Info{
		ID:           "simulated-" + hex.EncodeToString(sum[:16]),
		Version:      Version,
		OS:           "linux",
		Architecture: runtime.GOARCH,
		Clock:        time.Now(),
	}, nil
}

// List implements [engine.Engine].
func (e *Engine) List(_ context.Context, kind engine.Kind) ([]engine.Item, error) {
	served, err := e.current()
	if err != nil {
		return nil, err
	}
	var items []engine.Item
	for key, object := range served {
		if key.Kind == kind {
			items = append(items, engine.Item{
				Key:  key,
				Tags: tagsOf(object),
				// An inspection costs nothing here.
				Current: func(engine.Object, time.Time) bool { return false },
			})
		}
	}
	return items, nil
}

// Inspect implements [engine.Engine].
func (e *Engine) Inspect(_ context.Context, key engine.Key) (engine.Object, error) {
	served, err := e.current()
	if err != nil {
		return engine.Object{}, err
	}
	object, ok := served[key]
	if !ok && key.Kind == engine.KindImage {
		object, ok = served.imageOf(key.ID)
	}
	if !ok {
		return engine.Object{}, fmt.Errorf("%w: no %s %s", engine.ErrNotFound, key.Kind, key.ID)
	}
	return clone(object), nil
}

// Remove implements [engine.Engine]. Like Docker, it refuses to remove objects in use.
func (e *Engine) Remove(_ context.Context, key engine.Key, options engine.RemoveOptions) error {
	if key.Kind == engine.KindNamespace {
		return fmt.Errorf("remove the namespace %s: %w", key.ID, errors.ErrUnsupported)
	}
	if _, err := e.current(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p := part{key, options.Tag}
	object, ok := e.served.part(p)
	if !ok {
		return fmt.Errorf("%w: no %s %s", engine.ErrNotFound, key.Kind, key.ID)
	}
	if refusal := e.served.refusal(p, options.Force); refusal != "" {
		return fmt.Errorf("%w: %s", engine.ErrRefused, refusal)
	}
	e.removed[p] = object
	e.serveLocked()
	return nil
}

// current returns the served objects.
func (e *Engine) current() (world, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return nil, errClosed
	default:
	}
	if !e.read {
		e.loadLocked()
	}
	return e.served, e.failure
}

// load reads the file if it has changed, and sends the resulting events to the
// streams.
func (e *Engine) load() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loadLocked()
	return e.failure
}

func (e *Engine) loadLocked() {
	content, err := readFile(e.path)
	digest := sha256.Sum256(content)
	if err == nil && e.read && e.failure == nil && digest == e.digest {
		return
	}
	var file world
	if err == nil {
		file, err = parse(content)
		if err != nil {
			err = fmt.Errorf("%s: %w", e.path, err)
		}
	}
	e.read, e.digest, e.failure = true, digest, err
	if err != nil {
		e.history.wake()
		return
	}
	for p, was := range e.removed {
		if now, ok := file.part(p); !ok || !equal(now, was) {
			delete(e.removed, p)
		}
	}
	for key, a := range e.acted {
		if now, ok := file[key]; !ok || !equal(now, a.was) {
			delete(e.acted, key)
		}
	}
	e.file = file
	e.serveLocked()
}

// serveLocked updates the served objects, and records the changes.
func (e *Engine) serveLocked() {
	next := e.file.without(e.removed).asActed(e.acted)
	if e.served != nil {
		e.history.add(changes(e.served, next, time.Now()))
	}
	e.served = next
}
