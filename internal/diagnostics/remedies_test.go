// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// engineThat is a ContainerEngine whose condition Ready has the reason and message.
func engineThat(kind containersv1alpha1.EngineType, endpoint, reason, message string) containersv1alpha1.ContainerEngine {
	e := containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "e"}}
	e.Spec = containersv1alpha1.ContainerEngineSpec{Type: kind, Endpoint: endpoint, Running: ptr.To(true)}
	e.Status.Conditions = []metav1.Condition{{Type: containersv1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
	return e
}

// TestRemediesOfEngines: what to do about an engine depends on what it is and where,
// and on what this machine starts its services with.
func TestRemediesOfEngines(t *testing.T) {
	const moby, containerd, simulated = containersv1alpha1.EngineMoby, containersv1alpha1.EngineContainerd, containersv1alpha1.EngineSimulated
	systemd, plain := System{OS: "linux", Systemd: true}, System{OS: "linux"}
	darwin, windows := System{OS: "darwin"}, System{OS: "windows"}
	for _, test := range []struct {
		system   System
		kind     containersv1alpha1.EngineType
		endpoint string
		starts   string // what the remedy says, and nothing else of what starts an engine
		log      string // where its own log is
	}{
		{systemd, moby, "unix:///var/run/docker.sock", "`sudo systemctl start docker`", "`sudo journalctl -u docker`"},
		{plain, moby, "unix:///var/run/docker.sock", "`sudo service docker start`", "the engine's own log"},
		{systemd, moby, "unix:///run/user/1000/docker.sock", "`systemctl --user start docker`", "`journalctl --user -u docker`"},
		{plain, moby, "unix:///run/user/1000/docker.sock", "`dockerd-rootless.sh`", "the engine's own log"},
		{systemd, moby, "unix:///run/podman/podman.sock", "`sudo systemctl start podman.socket`", "`sudo journalctl -u podman`"},
		{plain, moby, "unix:///run/podman/podman.sock", "`sudo podman system service --time 0 unix:///run/podman/podman.sock`", "the engine's own log"},
		{systemd, moby, "unix:///run/user/1/podman/podman.sock", "`systemctl --user start podman.socket`", "`journalctl --user -u podman`"},
		{plain, moby, "unix:///run/user/1/podman/podman.sock", "`podman system service --time 0 unix:///run/user/1/podman/podman.sock`", "the engine's own log"},
		{systemd, containerd, "unix:///run/containerd/containerd.sock", "`sudo systemctl start containerd`", "`sudo journalctl -u containerd`"},
		{plain, containerd, "unix:///run/containerd/containerd.sock", "`sudo service containerd start`", "the engine's own log"},
		{darwin, moby, "unix:///var/run/docker.sock", "Docker Desktop", "the engine's own log"},
		{darwin, moby, "unix:///Users/u/podman.sock", "`podman machine start`", "the engine's own log"},
		{windows, moby, "npipe:////./pipe/docker_engine", "`Start-Service docker`", "the engine's own log"},
		{windows, moby, "npipe:////./pipe/podman-machine-default", "`podman machine start`", "the engine's own log"},
		{windows, containerd, "npipe:////./pipe/containerd-containerd", "`Start-Service containerd`", "the engine's own log"},
		{systemd, moby, "ssh://u@far:2222", "`ssh -p 2222 u@far`", "the log of the engine on far"},
		{systemd, moby, "ssh://far/run/d.sock", "`ssh far`", "the log of the engine on far"},
		{systemd, moby, "tcp://far:2375", "start it on far", "the log of the engine on far"},
		{systemd, simulated, "file:///world.yaml", "the file is there", "its file"},
	} {
		t.Run(string(test.kind)+" "+test.endpoint+" "+test.system.OS, func(t *testing.T) {
			e := engineThat(test.kind, test.endpoint, containersv1alpha1.ReasonConnectFailed, "no answer")
			o := Observed{Engines: []containersv1alpha1.ContainerEngine{e}, System: test.system}
			found := Known().Diagnose(o)
			if len(found) != 1 || found[0].Code != EngineNotAnswering.Code {
				t.Fatalf("%+v", found)
			}
			remedy := found[0].Remedy
			rest := strings.ReplaceAll(remedy, test.starts, "")
			for _, other := range []string{"systemctl", "service ", "podman machine", "Start-Service", "Docker Desktop", "dockerd", "{"} {
				if strings.Contains(test.starts, other) || other == "Docker Desktop" && test.system.OS == "windows" {
					continue
				}
				if strings.Contains(rest, other) {
					t.Errorf("%q is in %q", other, remedy)
				}
			}
			if !strings.Contains(remedy, test.starts) {
				t.Errorf("%q is not in %q", test.starts, remedy)
			}
			if test.kind != moby && strings.Contains(remedy, "docker -H") {
				t.Errorf("docker can't ask it: %q", remedy)
			}
			e.Status.Conditions = append(e.Status.Conditions[:0:0],
				metav1.Condition{Type: containersv1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: containersv1alpha1.ReasonConnected},
				metav1.Condition{Type: containersv1alpha1.ConditionComplete, Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonListFailed})
			o.Engines = []containersv1alpha1.ContainerEngine{e}
			if found := Known().Diagnose(o); len(found) != 1 || !strings.Contains(found[0].Remedy, test.log+" says why") {
				t.Errorf("the log: %q is not in %+v", test.log, found)
			}
		})
	}
}

// TestRemediesOfSockets: which right is missing depends on the engine, too.
func TestRemediesOfSockets(t *testing.T) {
	for _, test := range []struct {
		kind            containersv1alpha1.EngineType
		endpoint, group string
		words, not      string
	}{
		{containersv1alpha1.EngineMoby, "unix:///var/run/docker.sock", "docker", "`sudo usermod -aG docker $USER`", "podman"},
		{containersv1alpha1.EngineMoby, "unix:///var/run/docker.sock", "", "`ls -l /var/run/docker.sock`", "usermod"},
		{containersv1alpha1.EngineMoby, "unix:///run/podman/podman.sock", "", "`systemctl --user enable --now podman.socket`", "usermod"},
		{containersv1alpha1.EngineContainerd, "unix:///run/containerd/containerd.sock", "", "/etc/containerd/config.toml", "usermod"},
		{containersv1alpha1.EngineMoby, "npipe:////./pipe/docker_engine", "", "`net localgroup docker-users", "usermod"},
	} {
		e := engineThat(test.kind, test.endpoint, containersv1alpha1.ReasonPermissionDenied, "it is root's")
		found := Known().Diagnose(Observed{Engines: []containersv1alpha1.ContainerEngine{e}, Groups: map[string]string{test.endpoint: test.group}})
		if len(found) != 1 || found[0].Code != SocketNotPermitted.Code || !strings.Contains(found[0].Remedy, test.words) ||
			strings.Contains(found[0].Remedy, test.not) || strings.Contains(found[0].Remedy, "{") {
			t.Errorf("%s: %+v", test.endpoint, found)
		}
	}
	// No engine is chosen yet.
	found := Known().Diagnose(Observed{Denied: "unix:///var/run/docker.sock", Groups: map[string]string{"unix:///var/run/docker.sock": "docker"}})
	if len(found) != 1 || found[0].Code != SocketNotPermitted.Code || !strings.Contains(found[0].Message, "members of the group docker") {
		t.Errorf("%+v", found)
	}
}
