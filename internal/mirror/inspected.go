// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"sync"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// inspectedItems remembers the listed items that differ from their mirrors although the mirrors equal an inspection: an engine may list an object
// otherwise than it inspects it, and a mirror may omit values. Without it such objects would be inspected at each comparison. An item is known until it
// or one of its mirrors changes. Memory: some words for each such object in the last list.
type inspectedItems struct {
	mu      sync.Mutex
	known   map[engine.Key]inspectedItem // guarded by mu
	waiting map[engine.Key]inspectedItem // guarded by mu; to be inspected
}

type inspectedItem struct {
	fingerprint uint64
	mirrors     mirrorsVersion // when it was inspected
	// unfit is whether the values that change by themselves differ even after an inspection.
	unfit bool
}

// mirrorsVersion changes whenever one of the mirrors of an engine object does.
type mirrorsVersion struct {
	count  int
	newest uint64
}

func newInspectedItems() *inspectedItems {
	return &inspectedItems{known: map[engine.Key]inspectedItem{}, waiting: map[engine.Key]inspectedItem{}}
}

// match reports whether an item that differs from its mirrors is known. If not, it will be after an inspection.
func (s *inspectedItems) match(item engine.Item, mirrors mirrorsVersion, known engine.Object, now time.Time) bool {
	if item.Fingerprint == nil || mirrors.count == 0 {
		return false
	}
	next := inspectedItem{fingerprint: item.Fingerprint(), mirrors: mirrors}
	if next.fingerprint == 0 {
		return false
	}
	fits := item.Fits == nil || item.Fits(known, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.known[item.Key]
	if last.fingerprint == next.fingerprint && last.mirrors == mirrors {
		if fits || last.unfit {
			last.unfit = !fits
			s.known[item.Key] = last
			return true
		}
		next.unfit = true
	}
	s.waiting[item.Key] = next
	return false
}

// begin returns the item for which an object is about to be inspected; the zero item for none.
func (s *inspectedItems) begin(key engine.Key) inspectedItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	item := s.waiting[key]
	delete(s.waiting, key)
	return item
}

// finish remembers an inspected item. mirrors is the version of its mirrors after that.
func (s *inspectedItems) finish(key engine.Key, item inspectedItem, mirrors mirrorsVersion) {
	if item.fingerprint == 0 {
		return
	}
	item.unfit = item.unfit && item.mirrors == mirrors
	item.mirrors = mirrors
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = item
}

// keep forgets the objects of a kind that are not listed.
func (s *inspectedItems) keep(kind engine.Kind, listed map[engine.Key]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, items := range []map[engine.Key]inspectedItem{s.known, s.waiting} {
		for key := range items {
			if key.Kind == kind && !listed[key] {
				delete(items, key)
			}
		}
	}
}

// versionOf returns the version of an engine object's mirrors.
func (t *table) versionOf(key engine.Key) mirrorsVersion {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := mirrorsVersion{count: len(t.byKey[key])}
	for name := range t.byKey[key] {
		v.newest = max(v.newest, version(t.objects[name]))
	}
	return v
}
