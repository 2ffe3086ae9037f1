// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/types"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// maxDocument is the largest manifest or configuration that is read, in bytes;
// registries take 4 MiB.
const maxDocument = 8 << 20

// maxParts bounds the messages of a document: containerd most often sends 1 MiB in
// each.
const maxParts = 4096

// inspectImage returns the image with a digest or a name.
func (e *Engine) inspectImage(ctx context.Context, key engine.Key) (engine.Object, error) {
	object := engine.Object{Key: key}
	records, err := e.imageRecords(ctx, key.Namespace, fmt.Sprintf("target.digest==%q", key.ID))
	if err != nil {
		return object, err
	}
	if len(records) == 0 {
		response, err := e.images.Get(in(ctx, key.Namespace), &imagesapi.GetImageRequest{Name: key.ID})
		if err != nil {
			return object, e.translate(err)
		}
		object.Key.ID = response.GetImage().GetTarget().GetDigest()
		if err := engine.CheckKey(object.Key); err != nil {
			return object, fmt.Errorf("containerd's answer for the image %q is invalid: %w", key.ID, err)
		}
		e.names.learn(key.Namespace, key.ID, object.Key.ID)
		if records, err = e.imageRecords(ctx, key.Namespace, fmt.Sprintf("target.digest==%q", object.Key.ID)); err != nil {
			return object, err
		}
		if len(records) == 0 { // the name has moved since
			return object, fmt.Errorf("%w: image %q", engine.ErrNotFound, key.ID)
		}
	}
	var all []string
	for _, record := range records {
		if has := record.GetTarget().GetDigest(); has != object.Key.ID {
			return object, fmt.Errorf("containerd answers a request for the image %q with %q", object.Key.ID, has)
		}
		if engine.CheckTag(record.GetName()) == nil {
			all = append(all, record.GetName())
		}
	}
	base, err := e.describe(ctx, key.Namespace, records[0].GetTarget())
	if err != nil {
		return object, err
	}
	object.Images = imageStatuses(base, sortNames(all))
	return object, nil
}

// imageStatuses returns the image once for each tag, or once with none.
func imageStatuses(base containersv1alpha1.ImageStatus, n names) []containersv1alpha1.ImageStatus {
	base.RepoDigests = n.digests
	if len(n.tags) == 0 {
		return []containersv1alpha1.ImageStatus{base}
	}
	statuses := make([]containersv1alpha1.ImageStatus, len(n.tags))
	for i, tag := range n.tags {
		statuses[i] = *base.DeepCopy()
		statuses[i].RepoTag = tag
	}
	return statuses
}

// document is an index or a manifest.
type document struct {
	Manifests []v1.Descriptor `json:"manifests"`
	Config    v1.Descriptor   `json:"config"`
	Layers    []v1.Descriptor `json:"layers"`
}

// describe reads an image's status from its manifests. The size is the compressed size
// of the parts that containerd has, each counted once.
func (e *Engine) describe(ctx context.Context, namespace string, target *types.Descriptor) (containersv1alpha1.ImageStatus, error) {
	status := containersv1alpha1.ImageStatus{ID: target.GetDigest(), Namespace: namespace}
	sizes := map[string]int64{target.GetDigest(): target.GetSize()}
	var index document
	found, err := e.read(ctx, namespace, target.GetDigest(), &index)
	if err != nil {
		return status, err
	}
	candidates := []document{index}
	if len(index.Manifests) > 0 {
		candidates = nil
		for _, descriptor := range index.Manifests[:min(len(index.Manifests), maxPlatforms)] {
			var manifest document
			there, err := e.read(ctx, namespace, descriptor.Digest.String(), &manifest)
			if err != nil {
				return status, err
			}
			if there { // most often the other platforms are not pulled
				sizes[descriptor.Digest.String()] = descriptor.Size
				candidates = append(candidates, manifest)
			}
		}
	}
	if !found {
		candidates = nil
	}
	known := false
	for _, manifest := range candidates {
		for _, part := range append(manifest.Layers, manifest.Config) {
			sizes[part.Digest.String()] = part.Size
		}
		var config v1.Image
		if there, err := e.read(ctx, namespace, manifest.Config.Digest.String(), &config); err != nil {
			return status, err
		} else if !there || config.OS == "" || config.OS == "unknown" { // without a platform it is an attestation
			continue
		}
		if !known || (config.Architecture == runtime.GOARCH && status.Architecture != runtime.GOARCH) {
			known = true
			describeConfig(&status, &config)
		}
	}
	for _, size := range sizes {
		status.Size += size
	}
	return status, nil
}

func describeConfig(status *containersv1alpha1.ImageStatus, config *v1.Image) {
	status.OS, status.Architecture, status.Labels = config.OS, config.Architecture, copyMap(config.Config.Labels)
	status.CreatedAt = nil
	if config.Created != nil {
		status.CreatedAt = wholeSeconds(*config.Created)
	}
}

// read reads a document of an image, and reports whether it exists and is valid.
func (e *Engine) read(ctx context.Context, namespace, digest string, into any) (bool, error) {
	if digest == "" {
		return false, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.content.Read(in(ctx, namespace), &contentapi.ReadContentRequest{Digest: digest})
	if err != nil {
		return false, e.translate(err)
	}
	var data bytes.Buffer
	for parts := 0; ; parts++ {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err = e.translate(err); errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrRefused) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if data.Write(part.GetData()); data.Len() > maxDocument || parts > maxParts {
			return false, nil
		}
	}
	return limits.Unmarshal(data.Bytes(), into) == nil, nil
}
