// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"
	"time"

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

// whileUp calls f where the connection stands, and has its end wait for that:
// what f notes is there when the end clears it.
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

// number is that of the connection that stands or stood last; 0 before the
// first.
func (l *link) number() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// removalStays is how long it is known that a removal was carried out, as events
// from before it may have queued the object again.
const removalStays = 2 * time.Second

// removals are the objects of which the engine itself told, in the connection
// that stands, that it removed them.
type removals struct {
	mu   sync.Mutex
	keys map[engine.Key]time.Time // guarded by mu; when the mirrors were removed, zero for not yet
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

// take reports whether key is among them, and forgets it.
func (r *removals) take(key engine.Key) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	delete(r.keys, key)
	return ok
}

// done notes that the mirrors are removed.
func (r *removals) done(key engine.Key, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.keys[key]; ok {
		r.keys[key] = now
	}
}

// sweep forgets what was done a while ago.
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
