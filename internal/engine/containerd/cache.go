// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"sync"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
)

// Most events of a container's life are about its task alone: its record, and
// where the name of its image leads to, are asked for once, and again after an
// event of theirs. Each cache is that of the last few.
const (
	maxRecords = 64 // of some 10 kB
	maxTargets = 256
)

// record is what containerd keeps of a container, with its specification read.
type record struct {
	*containersapi.Container
	spec spec
}

// cache has answers of containerd that hold until an event says otherwise, by
// namespace and name. It is used only while there is a stream of events, and a
// comparison begins with an empty one: events may have been lost.
type cache[V any] struct {
	limit int

	mu      sync.Mutex
	trusted bool            // guarded by mu; events come
	changes uint64          // guarded by mu; how often anything was forgotten
	entries map[[2]string]V // guarded by mu
}

// get returns an answer, if there is one that holds.
func (c *cache[V]) get(namespace, name string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.entries[[2]string{namespace, name}]
	return value, ok
}

// mark is to be taken before containerd is asked, for put.
func (c *cache[V]) mark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// put keeps an answer, unless something has changed since the mark: it may be
// from before the change.
func (c *cache[V]) put(mark uint64, namespace, name string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.trusted || mark != c.changes {
		return
	}
	if c.entries == nil || len(c.entries) >= c.limit {
		c.entries = make(map[[2]string]V, c.limit)
	}
	c.entries[[2]string{namespace, name}] = value
}

func (c *cache[V]) forget(namespace, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, [2]string{namespace, name})
}

func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	clear(c.entries)
}

// trust says whether events come from now on, and empties the cache.
func (c *cache[V]) trust(events bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.trusted = events
	clear(c.entries)
}
