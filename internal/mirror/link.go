// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// link tells one connection to the engine from the next.
type link struct {
	mu    sync.Mutex
	count uint64 // guarded by mu; connections so far
	isUp  bool   // guarded by mu
}

func (l *link) connect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	l.isUp = true
}

func (l *link) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isUp = false
}

func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isUp
}

// number is that of the connection that stands or stood last; 0 before the
// first.
func (l *link) number() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// removals are the objects of which the engine itself told, in the connection
// that stands, that it removed them.
type removals struct {
	mu   sync.Mutex
	keys map[engine.Key]struct{} // guarded by mu
}

func (r *removals) add(key engine.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = map[engine.Key]struct{}{}
	}
	r.keys[key] = struct{}{}
}

func (r *removals) has(key engine.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	return ok
}

// take reports whether key is among them, and forgets it.
func (r *removals) take(key engine.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	delete(r.keys, key)
	return ok
}

func (r *removals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.keys)
}

// batch is a set of objects that are to be synced once each, whatever comes of
// it.
type batch struct {
	first bool // the first of a connection
	done  chan struct{}

	mu     sync.Mutex
	open   map[engine.Key]struct{} // guarded by mu
	sealed bool                    // guarded by mu; no more will be added
}

func newBatch() *batch {
	return &batch{done: make(chan struct{}), open: map[engine.Key]struct{}{}}
}

func (b *batch) add(keys []engine.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		b.open[key] = struct{}{}
	}
}

func (b *batch) seal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	b.checkLocked()
}

func (b *batch) finish(key engine.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.open[key]; ok {
		delete(b.open, key)
		b.checkLocked()
	}
}

func (b *batch) checkLocked() {
	if b.sealed && len(b.open) == 0 {
		select {
		case <-b.done:
		default:
			close(b.done)
		}
	}
}

// finished is closed when the set is complete and all of it was synced.
func (b *batch) finished() <-chan struct{} { return b.done }
