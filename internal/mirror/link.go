// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// link counts the connections to the engine, and knows whether there is one.
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

// whileUp calls f if the engine is connected. A disconnect waits for f, so that it
// clears what f recorded.
func (l *link) whileUp(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isUp {
		f()
	}
}

func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isUp
}

// number returns the number of the current or last connection; 0 before the first.
func (l *link) number() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// removalStays is how long a finished removal is remembered: earlier events may have
// queued the object again.
const removalStays = 2 * time.Second

// removals are the objects that the engine reported as removed in the current
// connection.
type removals struct {
	mu   sync.Mutex
	keys map[engine.Key]time.Time // guarded by mu; when the mirrors were removed, zero if they are not
}

func (r *removals) add(key engine.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = map[engine.Key]time.Time{}
	}
	r.keys[key] = time.Time{}
}

func (r *removals) has(key engine.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	return ok
}

// take removes key, and reports whether it was among the removals.
func (r *removals) take(key engine.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	delete(r.keys, key)
	return ok
}

// done records that the mirrors are removed.
func (r *removals) done(key engine.Key, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.keys[key]; ok {
		r.keys[key] = now
	}
}

// sweep forgets finished removals after removalStays.
func (r *removals) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, done := range r.keys {
		if !done.IsZero() && now.Sub(done) >= removalStays {
			delete(r.keys, key)
		}
	}
}

func (r *removals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.keys)
}
