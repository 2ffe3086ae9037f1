// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"testing"
	"time"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
)

// TestAnotherKindOfEngine: the endpoint of each type is the socket of another kind of
// engine. The ContainerEngine says so long before a call would time out, and connects
// to the right socket.
func TestAnotherKindOfEngine(t *testing.T) {
	t.Parallel()
	controlplanetest.Quiet()
	docker, newest := dockerd.Start(t, dockerd.Config{}), dockerd.Start(t, dockerd.Config{Program: dockerd.Newest})
	old, recent := containerd.Start(t, containerd.Debian), containerd.Start(t, containerd.Newest)
	e := newEnv(t, docker.Client, docker.Endpoint())
	for _, c := range []struct {
		name     string
		kind     containersv1alpha1.EngineType
		endpoint string
		words    string
		right    string
	}{
		{"docker", containersv1alpha1.EngineContainerd, docker.Endpoint(), "instead of containerd's gRPC", old.Endpoint()},
		{"newest-docker", containersv1alpha1.EngineContainerd, newest.Endpoint(), "containerd's", recent.Endpoint()},
		{"containerd", containersv1alpha1.EngineMoby, old.Endpoint(), "containerd's gRPC instead of Docker's API", docker.Endpoint()},
		{"newest-containerd", containersv1alpha1.EngineMoby, recent.Endpoint(), "containerd's gRPC instead of Docker's API", newest.Endpoint()},
	} {
		began := time.Now()
		ce := e.createWith(c.name, namespace, func(spec *containersv1alpha1.ContainerEngineSpec) {
			spec.Type, spec.Endpoint = c.kind, c.endpoint
		})
		e.waitMessage(ce, containersv1alpha1.ReasonWrongProtocol, c.endpoint, "wrong protocol", c.words)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: it took %s to say so", c.name, took)
		}
		e.update(ce, func(spec *containersv1alpha1.ContainerEngineSpec) { spec.Endpoint = c.right })
		e.waitReason(ce, containersv1alpha1.ReasonConnected)
		e.must(e.kube.Delete(t.Context(), ce))
	}
}
