// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"sync"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
)

// Most events of a container are about its task only: its record and the target of
// its image's name are cached until an event about them. These bound the caches.
const (
	maxRecords = 64 // of some 10 kB
	maxTargets = 256
)

// record is containerd's record of a container, with its decoded specification.
type record struct {
	*containersapi.Container
	spec spec
}

// cache has answers of containerd by namespace and name, which are valid until an
// event about them. It is used only while there is an event stream, and is emptied
// before each comparison: events may have been lost.
type cache[V any] struct {
	limit int

	mu      sync.Mutex
	trusted bool            // guarded by mu; there is an event stream
	changes uint64          // guarded by mu; how often an entry was dropped
	entries map[[2]string]V // guarded by mu
}

// get returns a valid answer, if there is one.
func (c *cache[V]) get(namespace, name string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	value, ok := c.entries[[2]string{namespace, name}]
	return value, ok
}

// mark must be called before the call to containerd, for put.
func (c *cache[V]) mark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// put stores an answer, unless an entry was dropped since the mark: the answer may be
// older.
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

// trust records whether there is an event stream, and empties the cache.
func (c *cache[V]) trust(events bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.trusted = events
	clear(c.entries)
}
