// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"iter"
	"maps"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/docker/go-units"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	none = "<none>"
	// unknown is what Docker shows for values that its API leaves out of lists.
	unknown = "N/A"
)

// imageRow is a tag or a digest of an image. The exported methods are the fields of
// Docker's template.
type imageRow struct {
	common
	status            *containersv1alpha1.ImageStatus
	repo, tag, digest string
}

func imageHeaders() formatter.HeaderContext {
	return headers(formatter.SubHeaderContext{
		"ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "CreatedSince": formatter.CreatedSinceHeader,
		"CreatedAt": formatter.CreatedAtHeader, "Size": formatter.SizeHeader, "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE",
		"UniqueSize": "UNIQUE SIZE", "Platform": "PLATFORM",
	})
}

// MarshalJSON has all fields.
func (r *imageRow) MarshalJSON() ([]byte, error) { return formatter.MarshalJSON(r) }

// ID of the image.
func (r *imageRow) ID() string { return r.id(r.status.ID) }

// Repository of the tag.
func (r *imageRow) Repository() string { return text(r.repo) }

// Tag without its repository.
func (r *imageRow) Tag() string { return text(r.tag) }

// Digest of the image in the repository.
func (r *imageRow) Digest() string { return text(r.digest) }

// CreatedSince is how long ago the image was created.
func (r *imageRow) CreatedSince() string { return ago(r.now, r.status.CreatedAt) }

// CreatedAt is when the image was created, in local time.
func (r *imageRow) CreatedAt() string { return timeOf(r.status.CreatedAt).String() }

// Size of the image.
func (r *imageRow) Size() string { return units.HumanSizeWithPrecision(float64(r.status.Size), 3) }

// Containers is not known, as in Docker's list.
func (r *imageRow) Containers() string { return unknown }

// SharedSize is not known, as in Docker's list.
func (r *imageRow) SharedSize() string { return unknown }

// UniqueSize is not known, as in Docker's list.
func (r *imageRow) UniqueSize() string { return unknown }

// Platform of the image.
func (r *imageRow) Platform() string {
	if platform := platformOf(r.status); platform != nil {
		return text(platform.String())
	}
	return none
}

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

func runtimeObjects(objects []client.Object) []runtime.Object {
	list := make([]runtime.Object, len(objects))
	for i, obj := range objects {
		list[i] = obj
	}
	return list
}
