// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// usesOf returns the engine objects that a mirror's object uses: the image and the
// volumes of a container, its networks while it runs, and the namespace of a container or an image if the engine
// has several. The engine can't remove them while they are in use.
func usesOf(m client.Object) []engine.Key {
	if uses := kinds[kindOf(m)].uses; uses != nil {
		return uses(m)
	}
	return nil
}

// usedAs returns the key by which usesOf names what a mirror stands for.
func usedAs(m client.Object) engine.Key {
	if as := kinds[kindOf(m)].usedAs; as != nil {
		return as(m)
	}
	return keyOf(m)
}

// usedByContainer is [mirrorKind.uses] of containers.
func usedByContainer(obj client.Object) []engine.Key {
	m := obj.(*containersv1alpha1.Container)
	var used []engine.Key
	if m.Status.Image != "" {
		used = append(used, engine.Key{Kind: engine.KindImage, Namespace: m.Annotations[containersv1alpha1.NamespaceAnnotation], ID: m.Status.Image})
	}
	for _, mount := range m.Status.Mounts {
		key := engine.Key{Kind: engine.KindVolume, ID: mount.Name}
		if mount.Name != "" && !slices.Contains(used, key) {
			used = append(used, key)
		}
	}
	used = append(used, networksOf(&m.Status)...)
	return append(used, namespaceOf(m)...)
}

// namespaceOf returns the engine's namespace of a mirror's object; none if the engine
// has only one.
func namespaceOf(m client.Object) []engine.Key {
	namespace := m.GetAnnotations()[containersv1alpha1.NamespaceAnnotation]
	if namespace == "" {
		return nil
	}
	return []engine.Key{{Kind: engine.KindNamespace, ID: namespace}}
}

// uses has the mirrors that use each engine object. It is a part of a table, and
// guarded by its mutex.
type uses map[engine.Key]map[mirrorName]struct{}

func (u uses) add(name mirrorName, obj client.Object) {
	for _, used := range usesOf(obj) {
		if u[used] == nil {
			u[used] = map[mirrorName]struct{}{}
		}
		u[used][name] = struct{}{}
	}
}

func (u uses) remove(name mirrorName, obj client.Object) {
	for _, used := range usesOf(obj) {
		delete(u[used], name)
		if len(u[used]) == 0 {
			delete(u, used)
		}
	}
}

// users returns the mirrors that use an engine object.
func (t *table) users(key engine.Key) []client.Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	var users []client.Object
	for name := range t.uses[key] {
		users = append(users, t.objects[name])
	}
	return users
}
