// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// usesOf returns the engine objects that can't be removed while there is what a
// mirror stands for: the image and the volumes of a container, and the namespace
// in which a container or an image is, where the engine has several.
func usesOf(obj client.Object) []engine.Key {
	var used []engine.Key
	namespace := obj.GetAnnotations()[containersv1alpha1.NamespaceAnnotation]
	switch m := obj.(type) {
	case *containersv1alpha1.Container:
		if m.Status.Image != "" {
			used = append(used, engine.Key{Kind: engine.KindImage, Namespace: namespace, ID: m.Status.Image})
		}
		for _, mount := range m.Status.Mounts {
			key := engine.Key{Kind: engine.KindVolume, ID: mount.Name}
			if mount.Name != "" && !slices.Contains(used, key) {
				used = append(used, key)
			}
		}
	case *containersv1alpha1.Image:
	default:
		return nil
	}
	if namespace != "" {
		used = append(used, engine.Key{Kind: engine.KindNamespace, ID: namespace})
	}
	return used
}

// uses tells which mirrors use an engine object. It is part of a table, and
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
