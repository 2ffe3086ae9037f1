// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// suitePlatforms loads an image for two platforms. It is one image, of the size
// that `docker images` shows.
func suitePlatforms(d *driver) {
	const reference = "registry.example.com/platforms:1"
	d.step(func(ctx context.Context) error {
		result, err := d.docker.ImageLoad(ctx, twoPlatforms(d.t, reference))
		if err != nil {
			return err
		}
		defer func() { _ = result.Close() }()
		_, err = io.Copy(io.Discard, result)
		return err
	})
	d.compareLists(engine.KindImage)
	d.step(func(ctx context.Context) error {
		_, err := d.docker.ImageTag(ctx, client.ImageTagOptions{Source: reference, Target: "platforms:2"})
		return err
	})
	d.compareLists(engine.KindImage)
	for _, name := range []string{reference, "platforms:2"} {
		d.step(func(ctx context.Context) error {
			_, err := d.docker.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true})
			return err
		})
	}
}

// twoPlatforms returns an image for two platforms as an archive
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
func twoPlatforms(t *testing.T, reference string) io.Reader {
	t.Helper()
	archive := &archiveWriter{t: t}
	archive.tar = tar.NewWriter(&archive.content)
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, platform := range []ocispec.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}} {
		index.Manifests = append(index.Manifests, archive.image(platform))
	}
	top := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{archive.blob(index.MediaType, index)}}
	top.SchemaVersion = 2
	top.Manifests[0].Annotations = map[string]string{"io.containerd.image.name": reference}
	archive.file(ocispec.ImageIndexFile, archive.encode(top))
	archive.file(ocispec.ImageLayoutFile, archive.encode(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}))
	if err := archive.tar.Close(); err != nil {
		t.Fatal(err)
	}
	return &archive.content
}

// archiveWriter writes an OCI image layout.
type archiveWriter struct {
	t       *testing.T
	content bytes.Buffer
	tar     *tar.Writer
}

// image writes an image for a platform, with one layer.
func (a *archiveWriter) image(platform ocispec.Platform) ocispec.Descriptor {
	a.t.Helper()
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	text := "for " + platform.Architecture
	if err := files.WriteHeader(&tar.Header{Name: "platform", Mode: 0o644, Size: int64(len(text))}); err != nil {
		a.t.Fatal(err)
	}
	if _, err := io.WriteString(files, text); err != nil {
		a.t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		a.t.Fatal(err)
	}
	manifest := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Layers: []ocispec.Descriptor{a.raw(ocispec.MediaTypeImageLayer, layer.Bytes())}}
	manifest.SchemaVersion = 2
	created := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	config := ocispec.Image{Created: &created, Platform: platform}
	config.RootFS = ocispec.RootFS{Type: "layers"}
	config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, manifest.Layers[0].Digest)
	config.Config.Labels = map[string]string{"platform": platform.Architecture}
	manifest.Config = a.blob(ocispec.MediaTypeImageConfig, config)
	descriptor := a.blob(manifest.MediaType, manifest)
	descriptor.Platform = &platform
	return descriptor
}

func (a *archiveWriter) encode(content any) []byte {
	a.t.Helper()
	encoded, err := json.Marshal(content)
	if err != nil {
		a.t.Fatal(err)
	}
	return encoded
}

func (a *archiveWriter) blob(mediaType string, content any) ocispec.Descriptor {
	a.t.Helper()
	return a.raw(mediaType, a.encode(content))
}

func (a *archiveWriter) raw(mediaType string, content []byte) ocispec.Descriptor {
	a.t.Helper()
	sum := digest.FromBytes(content)
	a.file("blobs/sha256/"+sum.Encoded(), content)
	return ocispec.Descriptor{MediaType: mediaType, Digest: sum, Size: int64(len(content))}
}

func (a *archiveWriter) file(name string, content []byte) {
	a.t.Helper()
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.tar.Write(content); err != nil {
		a.t.Fatal(err)
	}
}
