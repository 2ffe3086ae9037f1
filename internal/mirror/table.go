// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// mirrorName names a mirror within one owner.
type mirrorName struct {
	kind engine.Kind
	name string
}

func nameOf(obj client.Object) mirrorName { return mirrorName{kindOf(obj), obj.GetName()} }

// table holds the newest known version of each mirror of one owner, from a watch or
// from the result of a write: it has a write at once, and ignores older versions that
// the watch delivers later. Its objects must not be changed.
type table struct {
	mu      sync.Mutex
	objects map[mirrorName]client.Object           // guarded by mu
	byKey   map[engine.Key]map[mirrorName]struct{} // guarded by mu
	byTag   map[string]map[mirrorName]engine.Key   // guarded by mu; by referenceOf
	gone    map[mirrorName]types.UID               // guarded by mu; removed by this controller, not yet in the watch
	ours    map[mirrorName]uint64                  // guarded by mu; the newest version that this controller wrote
	counts  map[engine.Kind]int                    // guarded by mu
	uses    uses                                   // guarded by mu
}

func newTable() *table {
	return &table{
		objects: map[mirrorName]client.Object{},
		byKey:   map[engine.Key]map[mirrorName]struct{}{},
		byTag:   map[string]map[mirrorName]engine.Key{},
		gone:    map[mirrorName]types.UID{},
		ours:    map[mirrorName]uint64{},
		counts:  map[engine.Kind]int{},
		uses:    uses{},
	}
}

// version returns the resource version as a number: a larger one is newer.
func version(obj client.Object) uint64 {
	v, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// wrote records the result of a write by this controller.
func (t *table) wrote(obj client.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := nameOf(obj)
	t.ours[name] = max(t.ours[name], version(obj))
	t.storeLocked(name, obj)
}

// watched records a version from a watch.
func (t *table) watched(obj client.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := nameOf(obj)
	if t.gone[name] == obj.GetUID() {
		return
	}
	t.storeLocked(name, obj)
}

// foreign reports whether the newest version of a mirror was written by another client.
func (t *table) foreign(name mirrorName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	obj, ok := t.objects[name]
	return ok && version(obj) > t.ours[name]
}

// removed records that this controller removed a mirror.
func (t *table) removed(obj client.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := nameOf(obj)
	if known, ok := t.objects[name]; ok && known.GetUID() == obj.GetUID() {
		t.gone[name] = obj.GetUID()
		t.dropLocked(name)
	}
}

// watchedRemoval records a removal from a watch. It reports whether another client
// removed the mirror.
func (t *table) watchedRemoval(obj client.Object) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := nameOf(obj)
	if t.gone[name] == obj.GetUID() {
		delete(t.gone, name)
		return false
	}
	known, ok := t.objects[name]
	if !ok || known.GetUID() != obj.GetUID() {
		return false
	}
	t.dropLocked(name)
	return true
}

func (t *table) storeLocked(name mirrorName, obj client.Object) {
	known, ok := t.objects[name]
	if ok && version(known) > version(obj) {
		return
	}
	if ok {
		t.unindexLocked(name, known)
	} else {
		t.counts[name.kind]++
	}
	t.objects[name] = obj
	key := keyOf(obj)
	if t.byKey[key] == nil {
		t.byKey[key] = map[mirrorName]struct{}{}
	}
	t.byKey[key][name] = struct{}{}
	t.uses.add(name, obj)
	if tag := referenceOf(obj); tag != "" {
		if t.byTag[tag] == nil {
			t.byTag[tag] = map[mirrorName]engine.Key{}
		}
		t.byTag[tag][name] = key
	}
}

func (t *table) dropLocked(name mirrorName) {
	t.unindexLocked(name, t.objects[name])
	t.counts[name.kind]--
	delete(t.objects, name)
	delete(t.ours, name)
}

func (t *table) unindexLocked(name mirrorName, obj client.Object) {
	key := keyOf(obj)
	t.uses.remove(name, obj)
	delete(t.byKey[key], name)
	if len(t.byKey[key]) == 0 {
		delete(t.byKey, key)
	}
	if tag := referenceOf(obj); tag != "" {
		delete(t.byTag[tag], name)
		if len(t.byTag[tag]) == 0 {
			delete(t.byTag, tag)
		}
	}
}

func tagOf(obj client.Object) string {
	if image, ok := obj.(*containersv1alpha1.Image); ok {
		return image.Status.RepoTag
	}
	return ""
}

// referenceOf returns the tag that a mirror depends on, empty for none: the tag of an
// image, or of a container's image if the engine has namespaces, because containerd
// only stores the tag and resolves it to an image.
func referenceOf(obj client.Object) string {
	if c, ok := obj.(*containersv1alpha1.Container); ok && c.Annotations[containersv1alpha1.NamespaceAnnotation] != "" {
		return c.Status.ImageName
	}
	return tagOf(obj)
}

// of returns the mirrors of an engine object.
func (t *table) of(key engine.Key) []client.Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	mirrors := make([]client.Object, 0, len(t.byKey[key]))
	for name := range t.byKey[key] {
		mirrors = append(mirrors, t.objects[name])
	}
	return mirrors
}

// named returns the key of the container whose mirror has a name.
func (t *table) named(name string) (engine.Key, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	obj, ok := t.objects[mirrorName{engine.KindContainer, name}]
	if !ok {
		return engine.Key{}, false
	}
	return keyOf(obj), true
}

// containers returns the keys of the containers that have an ID, each in a
// namespace of its own.
func (t *table) containers(id string) []engine.Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []engine.Key
	for key := range t.byKey {
		if key.Kind == engine.KindContainer && key.ID == id {
			keys = append(keys, key)
		}
	}
	return keys
}

// newest returns the newest version of an engine object's mirrors, 0 for none.
func (t *table) newest(key engine.Key) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var newest uint64
	for name := range t.byKey[key] {
		newest = max(newest, version(t.objects[name]))
	}
	return newest
}

// rivals returns the other objects in the same namespace that depend on one of the
// tags: a tag has moved, and the engine does not report the previous image, nor the
// affected containers.
func (t *table) rivals(key engine.Key, tags []string) []engine.Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rivals []engine.Key
	for _, tag := range tags {
		for _, other := range t.byTag[tag] {
			if other != key && other.Namespace == key.Namespace {
				rivals = append(rivals, other)
			}
		}
	}
	return rivals
}

// keys returns the key of every engine object of a kind that has a mirror.
func (t *table) keys(kind engine.Kind) []engine.Key {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []engine.Key
	for key := range t.byKey {
		if key.Kind == kind {
			keys = append(keys, key)
		}
	}
	return keys
}

// count returns the number of mirrors of a kind.
func (t *table) count(kind engine.Kind) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[kind]
}

// subject returns the kind of an object and its name, or its ID if it has no name.
func (t *table) subject(key engine.Key) string {
	if key.ID == "" {
		return "the list of " + string(key.Kind) + "s"
	}
	for _, m := range t.of(key) {
		if title := titleOf(m); title != "" {
			return string(key.Kind) + " " + printable.Text(title, maxName)
		}
	}
	return string(key.Kind) + " " + printable.Text(key.ID, maxName)
}
