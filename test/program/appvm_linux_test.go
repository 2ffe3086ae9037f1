// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"strings"
	"testing"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/dockerd"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// TestVirtualMachineEngines: the engine in the virtual machine may be another one,
// which is one restart of the same machine; each is a real one here.
func TestVirtualMachineEngines(t *testing.T) {
	t.Parallel()
	h, limaHome, _ := newLimaHome(t)
	v := &vmHome{home: h, limaHome: limaHome}
	docker, other := dockerd.Start(t, dockerd.Config{}), containerd.Start(t, containerd.Debian)
	startContainer(t, docker, "in-docker", "exec sleep 1000")
	stage.Set(t, limaHome, stage.Faults{Engines: map[string]string{
		"/run/docker.sock":                strings.TrimPrefix(docker.Endpoint(), "unix://"),
		"/run/containerd/containerd.sock": strings.TrimPrefix(other.Endpoint(), "unix://"),
	}})
	v.ok("start")
	contains(t, v.ok("ps"), "in-docker", "rancher-desktop/moby")
	v.succeeds([]string{"Settled: connected to unix://", "/containerd.sock"}, "set", "containerEngine.name=containerd")
	v.condition(appv1alpha1.ConditionRunning, "True", limav1alpha1.ReasonStarted)
	if vm := v.vm(); vm.Status.RestartCount != 1 || vm.Spec.Params["CONTAINER_ENGINE"] != "containerd" {
		t.Errorf("the virtual machine is %+v, %+v", vm.Spec, vm.Status)
	}
	if app := v.app(); app.Status.DockerSocket != "" || app.Status.DockerContext != "" {
		t.Errorf("Docker is said to be there: %+v", app.Status)
	}
	contains(t, v.template(), "CONTAINER_ENGINE: \"containerd\"")
	contains(t, v.ok("ctl", "get", "images", "-n", namespace), containerd.Image)
	if list := v.ok("ps"); strings.Contains(list, "in-docker") {
		t.Errorf("Docker's containers are left:\n%s", list)
	}
	v.ok("set", "containerEngine.name=moby", "virtualMachine.cpus=2")
	if vm := v.vm(); vm.Status.RestartCount != 2 {
		t.Errorf("another engine and another size were %d restarts", vm.Status.RestartCount-1)
	}
	contains(t, v.ok("ps"), "in-docker")
}
