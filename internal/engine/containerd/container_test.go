// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"testing"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestContainerStatus: what nerdctl, the kubelet and the restart monitor write on
// containers is read.
func TestContainerStatus(t *testing.T) {
	specification := &anypb.Any{Value: []byte(`{"process":{"args":["sleep","9"],"terminal":true},"mounts":[
		{"type":"proc","source":"proc","destination":"/proc"},
		{"type":"bind","source":"/b","destination":"/b","options":["rbind","ro"]},
		{"source":"/a","destination":"/a","options":["rbind","rw"]}]}`)}
	binds := []containersv1alpha1.Mount{
		{Type: "bind", Source: "/a", Destination: "/a"}, {Type: "bind", Source: "/b", Destination: "/b", ReadOnly: true},
	}
	for name, test := range map[string]struct {
		container *containersapi.Container
		want      containersv1alpha1.ContainerStatus
	}{
		"plain": {
			&containersapi.Container{ID: "c", Spec: specification},
			containersv1alpha1.ContainerStatus{Name: "c", Mounts: binds},
		},
		"nerdctl": {
			&containersapi.Container{ID: "c", Spec: specification, Labels: map[string]string{
				"nerdctl/name":                 "web",
				"nerdctl/networks":             `["net-b","net-a"]`,
				"nerdctl/ports":                `[{"HostPort":8081,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"},{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"},{"HostPort":53,"ContainerPort":53,"Protocol":"udp","HostIP":"0.0.0.0"}]`,
				"nerdctl/mounts":               `[{"Type":"volume","Name":"data","Source":"/v","Destination":"/data","RW":true}]`,
				"com.docker.compose.project":   "shop",
				"containerd.io/restart.policy": "on-failure:3",
				"containerd.io/restart.count":  "2",
			}},
			containersv1alpha1.ContainerStatus{
				Name: "web", ComposeProject: "shop", RestartPolicy: "on-failure:3", RestartCount: 2,
				Networks: []containersv1alpha1.NetworkAttachment{{Name: "net-a"}, {Name: "net-b"}},
				Ports: []containersv1alpha1.Port{
					{Name: "53/udp", Bindings: []containersv1alpha1.PortBinding{{HostIP: "0.0.0.0", HostPort: "53"}}},
					{Name: "80/tcp", Bindings: []containersv1alpha1.PortBinding{{HostIP: "127.0.0.1", HostPort: "8080"}, {HostIP: "127.0.0.1", HostPort: "8081"}}},
				},
				PortSummary: "0.0.0.0:53->53/udp, 127.0.0.1:8080->80/tcp, 127.0.0.1:8081->80/tcp",
				Mounts:      []containersv1alpha1.Mount{{Type: "volume", Name: "data", Source: "/v", Destination: "/data"}},
			},
		},
		"of a pod": {
			&containersapi.Container{
				ID: "c", Spec: specification,
				Labels: map[string]string{
					"io.cri-containerd.kind": "container", "io.kubernetes.container.name": "server",
					"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.uid": "u",
				},
				Extensions: map[string]*anypb.Any{"io.cri-containerd.container.metadata": {Value: []byte(
					`{"Version":"v1","Metadata":{"ID":"c","LogPath":"/l","Config":{"annotations":{"io.kubernetes.container.ports":"[{\"containerPort\":80,\"protocol\":\"TCP\"},{\"hostPort\":81,\"containerPort\":81,\"protocol\":\"TCP\"}]"}}}}`)}},
			},
			containersv1alpha1.ContainerStatus{
				Name: "k8s://prod/web-0/server", Pod: &containersv1alpha1.Pod{Name: "web-0", Namespace: "prod", UID: "u"}, Mounts: binds,
				Ports:       []containersv1alpha1.Port{{Name: "80/tcp"}, {Name: "81/tcp", Bindings: []containersv1alpha1.PortBinding{{HostPort: "81"}}}},
				PortSummary: "80/tcp, :81->81/tcp",
			},
		},
		"sandbox": {
			&containersapi.Container{ID: "c", Spec: specification, Labels: map[string]string{
				"io.cri-containerd.kind": "sandbox", "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.uid": "u",
			}},
			containersv1alpha1.ContainerStatus{
				Name: "k8s://prod/web-0", Pod: &containersv1alpha1.Pod{Name: "web-0", Namespace: "prod", UID: "u", Sandbox: true}, Mounts: binds,
			},
		},
		"what can't be read": {
			&containersapi.Container{ID: "c", Spec: specification, Labels: map[string]string{
				"nerdctl/ports": "{", "nerdctl/networks": "1", "nerdctl/mounts": "x", "containerd.io/restart.count": "many",
			}},
			containersv1alpha1.ContainerStatus{Name: "c", Mounts: binds},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := containerStatus("ns", test.container, nil, "sha256:00")
			test.want.Namespace, test.want.Image, test.want.Path, test.want.Args = "ns", "sha256:00", "sleep", []string{"9"}
			test.want.Labels, test.want.Status, test.want.Conditions = test.container.GetLabels(), containersv1alpha1.PhaseCreated, got.Conditions
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !sameContainer(containerStatus("ns", test.container, nil, "sha256:00"), got) {
				t.Error("the same container is taken for another one")
			}
		})
	}
	if status := containerStatus("ns", &containersapi.Container{ID: "c"}, nil, ""); status.Path != "" || status.Status != containersv1alpha1.PhaseCreated {
		t.Errorf("a container with no specification: %+v", status)
	}
}

func TestStates(t *testing.T) {
	ended := timestamppb.New(timestamppb.Now().AsTime())
	for _, test := range []struct {
		process  *task.Process
		phase    containersv1alpha1.Phase
		pid      int64
		exitCode int32
	}{
		{nil, containersv1alpha1.PhaseCreated, 0, 0},
		{&task.Process{Status: task.Status_CREATED, Pid: 7}, containersv1alpha1.PhaseCreated, 0, 0},
		{&task.Process{Status: task.Status_RUNNING, Pid: 7}, containersv1alpha1.PhaseRunning, 7, 0},
		{&task.Process{Status: task.Status_PAUSING, Pid: 7}, containersv1alpha1.PhaseRunning, 7, 0},
		{&task.Process{Status: task.Status_PAUSED, Pid: 7}, containersv1alpha1.PhasePaused, 7, 0},
		{&task.Process{Status: task.Status_STOPPED, Pid: 7, ExitStatus: 137, ExitedAt: ended}, containersv1alpha1.PhaseExited, 0, 137},
		{&task.Process{Status: task.Status_UNKNOWN, Pid: 7}, containersv1alpha1.PhaseDead, 0, 0},
	} {
		got := containerStatus("ns", &containersapi.Container{ID: "c"}, test.process, "")
		if got.Status != test.phase || got.PID != test.pid || got.ExitCode != test.exitCode || (got.FinishedAt != nil) != (test.phase == containersv1alpha1.PhaseExited) {
			t.Errorf("%v: %+v", test.process, got)
		}
	}
}

func TestSignals(t *testing.T) {
	for name, want := range map[string]uint32{
		"": 15, "SIGTERM": 15, "term": 15, "SIGKILL": 9, "2": 2, "SIGRTMIN+3": 37, "SIGUSR1": 10, "nonsense": 15, "0": 15, "999": 15,
	} {
		if got := signalNumber(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
