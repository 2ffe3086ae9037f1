// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// batch is a set of objects to sync once each. An object whose sync fails counts when its
// problem is reported.
type batch struct {
	first bool // the first of a connection
	done  chan struct{}

	mu     sync.Mutex
	open   map[engine.Key]struct{} // guarded by mu
	totals map[engine.Kind]int     // guarded by mu
	ended  map[engine.Kind]int     // guarded by mu
	sealed bool                    // guarded by mu; nothing will be added
}

func newBatch() *batch {
	return &batch{done: make(chan struct{}), open: map[engine.Key]struct{}{}, totals: map[engine.Kind]int{}, ended: map[engine.Kind]int{}}
}

func (b *batch) add(keys []engine.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		if _, ok := b.open[key]; !ok {
			b.open[key] = struct{}{}
			b.totals[key.Kind]++
		}
	}
}

func (b *batch) seal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	b.checkLocked()
}

// has reports whether an object has not finished.
func (b *batch) has(key engine.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, open := b.open[key]
	return open
}

// finish removes an object, and reports whether it had not finished.
func (b *batch) finish(key engine.Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, open := b.open[key]; !open {
		return false
	}
	delete(b.open, key)
	b.ended[key.Kind]++
	b.checkLocked()
	return true
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

// finished is closed when the set is complete and each object was synced.
func (b *batch) finished() <-chan struct{} { return b.done }

// progress describes the progress of the kind with the most remaining objects; empty
// if few remain.
func (b *batch) progress() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	const little = 100
	var most engine.Kind
	left := little
	for _, kind := range engine.Kinds {
		if n := b.totals[kind] - b.ended[kind]; n > left {
			most, left = kind, n
		}
	}
	if left == little {
		return ""
	}
	return fmt.Sprintf("%s of %s %ss", thousands(b.ended[most]), thousands(b.totals[most]), most)
}

// thousands formats a number with separators: 4,200.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
