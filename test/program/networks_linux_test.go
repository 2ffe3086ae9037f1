// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// soon is within what a change of a stopped container must be mirrored: a second,
// and more on a machine that is busy with other tests. The next comparison comes
// after a minute.
const soon = 5 * time.Second

// TestNetworksOfStopped: what is done to a container that doesn't run is mirrored
// soon, though Docker has no event for its networks.
func TestNetworksOfStopped(t *testing.T) {
	t.Parallel()
	for _, program := range []dockerd.Program{dockerd.Debian, dockerd.Podman} {
		t.Run(program.String(), func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			engine := dockerd.Start(t, dockerd.Config{Program: program, Network: true})
			h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
			created, err := engine.Client.ContainerCreate(t.Context(), client.ContainerCreateOptions{
				Name: "stopped", Config: &container.Config{Image: dockerd.Image, Cmd: []string{"true"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			docker := func(args ...string) {
				t.Helper()
				if r := h.docker(append([]string{"-H", engine.Endpoint()}, args...)...); r.code != 0 {
					t.Fatalf("docker %q: %s%s", args, r.stdout, r.stderr)
				}
			}
			mirrors := h.client()
			become := func(what string, ok func(*containersv1alpha1.ContainerStatus) bool) {
				t.Helper()
				var mirror containersv1alpha1.Container
				for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
					err := mirrors.Get(t.Context(), ctrlclient.ObjectKey{Namespace: namespace, Name: created.ID}, &mirror)
					took := time.Since(begun)
					if err == nil && ok(&mirror.Status) {
						t.Logf("%s: mirrored after %s", what, took.Round(time.Millisecond))
						return
					}
					if took > soon {
						t.Fatalf("%s: not mirrored within %s: %v, %+v", what, soon, err, mirror.Status.Networks)
					}
				}
			}
			in := func(name string, want bool) func(*containersv1alpha1.ContainerStatus) bool {
				return func(status *containersv1alpha1.ContainerStatus) bool {
					return want == slices.ContainsFunc(status.Networks, func(n containersv1alpha1.NetworkAttachment) bool { return n.Name == name })
				}
			}
			docker("network", "create", "first")
			docker("network", "connect", "first", "stopped")
			become("connected at once", in("first", true))
			docker("network", "disconnect", "first", "stopped")
			become("disconnected", in("first", false))
			for range 3 { // while looks go on
				docker("network", "connect", "first", "stopped")
				become("connected again", in("first", true))
				docker("network", "disconnect", "first", "stopped")
				become("disconnected again", in("first", false))
			}
			docker("rename", "stopped", "renamed")
			become("renamed", func(status *containersv1alpha1.ContainerStatus) bool { return status.Name == "renamed" })
			if program == dockerd.Podman { // whose API has no update
				return
			}
			docker("update", "--restart", "always", "renamed")
			become("updated", func(status *containersv1alpha1.ContainerStatus) bool {
				return strings.HasPrefix(status.RestartPolicy, "always")
			})
			docker("network", "connect", "first", "renamed")
			docker("network", "rm", "first")
			docker("network", "disconnect", "first", "renamed") // which has no event at all then
			become("of a network that is gone", in("first", false))
		})
	}
}
