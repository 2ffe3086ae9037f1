// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"context"
	"fmt"
	"slices"
	"strings"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
)

// FindImage returns the mirror of a tag that a user names or, for an ID or the beginning
// of one, the mirrors of all its tags.
func FindImage(ctx context.Context, l *listing.Lister, name string) ([]*containersv1alpha1.Image, error) {
	list, err := l.List(ctx, listing.Images())
	if err != nil {
		return nil, err
	}
	mirrors := list.(*containersv1alpha1.ImageList).Items
	var found []*containersv1alpha1.Image
	var engines []string
	newImageIndex(mirrors).find(name, func(_ string, image *containersv1alpha1.Image) {
		found, engines = append(found, image), append(engines, listing.EngineOf(image))
	})
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("no image %q found (see `rdd images --all`)", name)
	case len(found) > 1:
		slices.Sort(engines)
		return nil, fmt.Errorf("image %q is in several engines (use --namespace or --engine): %s", name, strings.Join(engines, ", "))
	}
	if tag := found[0].Status.RepoTag; tag != "" && !strings.HasPrefix(strings.TrimPrefix(found[0].Status.ID, "sha256:"), strings.TrimPrefix(name, "sha256:")) {
		return found, nil
	}
	id, scope := found[0].Status.ID, scopeOf(found[0], found[0].Status.Namespace)
	found = nil
	for i := range mirrors {
		if m := &mirrors[i]; m.Status.ID == id && scopeOf(m, m.Status.Namespace) == scope {
			found = append(found, m)
		}
	}
	return found, nil
}

// FindVolume returns the mirror of the volume that a user names.
func FindVolume(ctx context.Context, l *listing.Lister, name string) (*containersv1alpha1.Volume, error) {
	list, err := l.List(ctx, listing.Volumes())
	if err != nil {
		return nil, err
	}
	var found []*containersv1alpha1.Volume
	var engines []string
	volumes := list.(*containersv1alpha1.VolumeList).Items
	for i := range volumes {
		if v := &volumes[i]; v.Status.Name == name {
			found, engines = append(found, v), append(engines, listing.EngineOf(v))
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no volume %q found (see `rdd volumes`)", name)
	case 1:
		return found[0], nil
	}
	slices.Sort(engines)
	return nil, fmt.Errorf("volume %q is in several engines (use --namespace or --engine): %s", name, strings.Join(engines, ", "))
}
