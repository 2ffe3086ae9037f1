// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"testing"

	"github.com/moby/moby/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/open"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// TestEnginesWithNothing: what each engine answers when it has nothing is a list
// with nothing in it, and no failure.
func TestEnginesWithNothing(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]dockerd.Program{"Debian": dockerd.Debian, "Newest": dockerd.Newest, "Podman": dockerd.Podman} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docker := dockerd.Start(t, dockerd.Config{Program: program})
			connection, err := open.Drivers().Open(containersv1alpha1.ContainerEngineSpec{Type: containersv1alpha1.EngineMoby, Endpoint: docker.Endpoint()}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = connection.Close() }()
			info, err := connection.Info(t.Context())
			if err != nil || info.ID == "" || info.HostName == "" || info.RootDir == "" {
				t.Errorf("it says that it is %+v, error %v", info, err)
			}
			images, err := docker.Client.ImageList(t.Context(), client.ImageListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, image := range images.Items {
				if _, err := docker.Client.ImageRemove(t.Context(), image.ID, client.ImageRemoveOptions{Force: true}); err != nil {
					t.Fatal(err)
				}
			}
			for _, kind := range []engine.Kind{engine.KindContainer, engine.KindVolume, engine.KindImage} {
				items, err := connection.List(t.Context(), kind)
				if err != nil || len(items) != 0 {
					t.Errorf("%d %ss, error %v", len(items), kind, err)
				}
			}
		})
	}
}
