// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"fmt"
	"slices"
	"strings"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// unique makes sure that each entry of a list has a name of its own, which is in
// the field.
func unique[T any](list string, entries []T, field string, name func(T) string) error {
	seen := make(map[string]bool, len(entries))
	for i, entry := range entries {
		n := name(entry)
		if n == "" {
			return fmt.Errorf("%s[%d].%s: must not be empty", list, i, field)
		}
		if seen[n] {
			return fmt.Errorf("%s[%d].%s: an entry before has %q already", list, i, field, n)
		}
		seen[n] = true
	}
	return nil
}

// checkKey refuses what no engine has.
func checkKey(list string, i int, field string, key engine.Key) error {
	if err := engine.CheckKey(key); err != nil {
		return fmt.Errorf("%s[%d].%s: %w", list, i, field, err)
	}
	return nil
}

// world returns the objects that completed contents describe. An error says
// which two are the same.
func (c *contents) world() (world, error) {
	w := world{}
	for _, err := range []error{
		unique("namespaces", c.Namespaces, "name", func(n containersv1alpha1.ContainerNamespaceStatus) string { return n.Name }),
		unique("volumes", c.Volumes, "name", func(v containersv1alpha1.VolumeStatus) string { return v.Name }),
		unique("networks", c.Networks, "name", func(n containersv1alpha1.NetworkStatus) string { return n.Name }),
		unique("networks", c.Networks, "id", func(n containersv1alpha1.NetworkStatus) string { return n.ID }),
		unique("containers", c.Containers, "name", func(e containerEntry) string { return e.Name }),
		unique("containers", c.Containers, "id", func(e containerEntry) string { return e.ID }),
	} {
		if err != nil {
			return nil, err
		}
	}
	for i := range c.Namespaces {
		key := engine.Key{Kind: engine.KindNamespace, ID: c.Namespaces[i].Name}
		if err := checkKey("namespaces", i, "name", key); err != nil {
			return nil, err
		}
		w[key] = engine.Object{Key: key, Namespace: &c.Namespaces[i]}
	}
	for i := range c.Volumes {
		key := engine.Key{Kind: engine.KindVolume, ID: c.Volumes[i].Name}
		if err := checkKey("volumes", i, "name", key); err != nil {
			return nil, err
		}
		w[key] = engine.Object{Key: key, Volume: &c.Volumes[i]}
	}
	for i := range c.Networks {
		key := engine.Key{Kind: engine.KindNetwork, ID: c.Networks[i].ID}
		if err := checkKey("networks", i, "id", key); err != nil {
			return nil, err
		}
		w[key] = engine.Object{Key: key, Network: &c.Networks[i]}
	}
	for i := range c.Containers {
		key := engine.Key{Kind: engine.KindContainer, ID: c.Containers[i].ID}
		if err := checkKey("containers", i, "id", key); err != nil {
			return nil, err
		}
		w[key] = engine.Object{Key: key, Container: &c.Containers[i].ContainerStatus}
	}
	return w, c.addImages(w)
}

// addImages joins the entries that are tags of one image.
func (c *contents) addImages(w world) error {
	tags := map[string]bool{}
	for i, image := range c.Images {
		if image.RepoTag != "" && tags[image.RepoTag] {
			return fmt.Errorf("images[%d].repoTag: an entry before has %q already", i, image.RepoTag)
		}
		tags[image.RepoTag] = true
		key := engine.Key{Kind: engine.KindImage, ID: image.ID}
		if err := checkKey("images", i, "id", key); err != nil {
			return err
		}
		object := w[key]
		for _, other := range object.Images {
			if other.RepoTag == "" || image.RepoTag == "" {
				return fmt.Errorf("images[%d]: an entry before has the id %s too: each must have a repoTag then", i, image.ID)
			}
			if other.Namespace != image.Namespace {
				return fmt.Errorf("images[%d].namespace: an entry before says that %s is in %s", i, image.ID, other.Namespace)
			}
		}
		object.Key = key
		object.Images = append(object.Images, image)
		slices.SortFunc(object.Images, func(a, b containersv1alpha1.ImageStatus) int { return strings.Compare(a.RepoTag, b.RepoTag) })
		w[key] = object
	}
	return nil
}
