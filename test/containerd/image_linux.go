// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strconv"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

// Image is in every engine: a static busybox.
const Image = realengine.Image

// importName is a name that is of no use.
const importName = "import.example.com/image:0"

// importBusybox makes an image, as no registry is needed for it. It is imported
// as one name, and has another in the end. It runs the command.
func (e *Engine) importBusybox(namespace, as, name string, cmd ...string) {
	e.tb.Helper()
	root, err := realengine.Root()
	if err != nil {
		e.tb.Fatal(err)
	}
	ctx := In(context.Background(), namespace)
	e.rename(ctx, e.importImage(ctx, as, root, cmd), name)
	image, err := e.Client.GetImage(ctx, name)
	if err != nil {
		e.tb.Fatal(err)
	}
	if err := image.Unpack(ctx, ""); err != nil {
		e.tb.Fatal(err)
	}
}

// AnotherImage makes an image that has no name but a reference by its digest,
// and returns the digest.
func (e *Engine) AnotherImage() string {
	e.tb.Helper()
	ctx := In(context.Background(), Namespace)
	e.images++
	record := e.importImage(ctx, importName, nil, []string{"sh"})
	e.rename(ctx, record, "another@"+record.Target.Digest.String())
	return record.Target.Digest.String()
}

// importImage imports an image under a name.
func (e *Engine) importImage(ctx context.Context, as string, root []byte, cmd []string) images.Image {
	e.tb.Helper()
	image := empty.Image
	var err error
	if root != nil {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(root)), nil })
		if err != nil {
			e.tb.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			e.tb.Fatal(err)
		}
	}
	image, err = mutate.ConfigFile(image, configOf(image, strconv.Itoa(e.images), cmd))
	if err != nil {
		e.tb.Fatal(err)
	}
	reference, err := name.NewTag(as)
	if err != nil {
		e.tb.Fatal(err)
	}
	var archive bytes.Buffer
	if err := tarball.Write(reference, image, &archive); err != nil {
		e.tb.Fatal(err)
	}
	imported, err := e.Client.Import(ctx, &archive, client.WithAllPlatforms(true))
	if err != nil || len(imported) != 1 {
		e.tb.Fatalf("import: %v %v", imported, err)
	}
	return imported[0]
}

func configOf(image v1.Image, number string, cmd []string) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		panic(err) // it is in memory
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Labels = map[string]string{"number": number}
	config.Config.Cmd, config.Config.Env = cmd, []string{"PATH=/bin"}
	return config
}

func (e *Engine) rename(ctx context.Context, record images.Image, name string) {
	e.tb.Helper()
	if record.Name == name {
		return
	}
	store := e.Client.ImageService()
	if _, err := store.Create(ctx, images.Image{Name: name, Target: record.Target}); err != nil {
		e.tb.Fatal(err)
	}
	if err := store.Delete(ctx, record.Name); err != nil {
		e.tb.Fatal(err)
	}
}
