// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"fmt"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// world is everything that an engine has.
type world map[engine.Key]engine.Object

// part is what one removal takes away: an object, or one tag of an image.
type part struct {
	key engine.Key
	tag string
}

// part returns the part as an object of its own.
func (w world) part(p part) (engine.Object, bool) {
	object, ok := w[p.key]
	if !ok || p.key.Kind != engine.KindImage {
		return object, ok
	}
	for _, image := range object.Images {
		if image.RepoTag == p.tag {
			return engine.Object{Key: p.key, Images: []containersv1alpha1.ImageStatus{image}}, true
		}
	}
	return object, false
}

// without returns a world that lacks the parts.
func (w world) without(parts map[part]engine.Object) world {
	rest := make(world, len(w))
	for key, object := range w {
		if key.Kind != engine.KindImage {
			if _, removed := parts[part{key: key}]; !removed {
				rest[key] = object
			}
			continue
		}
		object.Images = slices.DeleteFunc(slices.Clone(object.Images), func(image containersv1alpha1.ImageStatus) bool {
			_, removed := parts[part{key, image.RepoTag}]
			return removed
		})
		if len(object.Images) > 0 {
			rest[key] = object
		}
	}
	return rest
}

// refusal says why the part can't be removed, in Docker's words; it is empty
// where it can. By force Docker removes what no running container uses, and any
// tag, but no volume in use.
func (w world) refusal(p part, force bool) string {
	switch p.key.Kind {
	case engine.KindNamespace:
		return "a namespace can't be removed"
	case engine.KindVolume:
		if user := w.user(func(c *containersv1alpha1.ContainerStatus) bool {
			return slices.ContainsFunc(c.Mounts, func(m containersv1alpha1.Mount) bool { return m.Name == p.key.ID })
		}); user != "" {
			return fmt.Sprintf("remove %s: volume is in use - [%s]", p.key.ID, user)
		}
	case engine.KindNetwork:
		return w.networkRefusal(w[p.key].Network)
	case engine.KindImage:
		if len(w[p.key].Images) > 1 || force && p.tag != "" {
			return "" // it only loses a tag
		}
		user := w.user(func(c *containersv1alpha1.ContainerStatus) bool {
			return c.Image == p.key.ID && (!force || c.Status == containersv1alpha1.PhaseRunning || c.Status == containersv1alpha1.PhasePaused)
		})
		switch {
		case user == "":
		case p.tag != "":
			return fmt.Sprintf("conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s", p.tag, user, p.key.ID)
		default:
			return fmt.Sprintf("conflict: unable to delete %s (must be forced) - image is being used by container %s", p.key.ID, user)
		}
	}
	return ""
}

// user returns the ID of a container that uses something, always the same one.
func (w world) user(uses func(*containersv1alpha1.ContainerStatus) bool) string {
	var users []string
	for key, object := range w {
		if object.Container != nil && uses(object.Container) {
			users = append(users, key.ID)
		}
	}
	if len(users) == 0 {
		return ""
	}
	return slices.Min(users)
}

// imageOf returns the image that a reference leads to.
func (w world) imageOf(reference string) (engine.Object, bool) {
	tag, ok := familiar(reference)
	if !ok {
		return engine.Object{}, false
	}
	for _, object := range w {
		if slices.Contains(tagsOf(object), tag) {
			return object, true
		}
	}
	return engine.Object{}, false
}

func tagsOf(object engine.Object) []string {
	var tags []string
	for _, image := range object.Images {
		if image.RepoTag != "" {
			tags = append(tags, image.RepoTag)
		}
	}
	return tags
}

// changes returns what happened between two worlds: what went first, so that
// what took its place comes after.
func changes(before, after world, now time.Time) []engine.Event {
	var events []engine.Event
	for key := range before {
		if _, ok := after[key]; !ok {
			events = append(events, engine.Event{Key: key, At: now, Gone: true})
		}
	}
	for key, object := range after {
		if was, ok := before[key]; !ok || !equal(was, object) {
			events = append(events, engine.Event{Key: key, At: now})
		}
	}
	return events
}

func equal(a, b engine.Object) bool { return apiequality.Semantic.DeepEqual(a, b) }

// clone returns a copy that its owner may change.
func clone(object engine.Object) engine.Object {
	object.Container = object.Container.DeepCopy()
	object.Volume = object.Volume.DeepCopy()
	object.Network = object.Network.DeepCopy()
	object.Namespace = object.Namespace.DeepCopy()
	images := object.Images
	object.Images = nil
	for i := range images {
		object.Images = append(object.Images, *images[i].DeepCopy())
	}
	return object
}
