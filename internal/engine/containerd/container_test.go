// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
	stateDir := t.TempDir()
	const ports = `{"portMappings":[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"0.0.0.0"}]}`
	if err := os.WriteFile(filepath.Join(stateDir, "network-config.json"), []byte(ports), 0o600); err != nil {
		t.Fatal(err)
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
		// As nerdctl 2.1.2 wrote it, for
		// run -d --net none --name full --stop-timeout 3 --restart always -v /tmp:/mnt:ro -v data:/data --label com.docker.compose.project=shop
		"nerdctl 2.1": {
			&containersapi.Container{ID: "c064dfd5f56f", Spec: specification, Labels: map[string]string{
				"com.docker.compose.project":             "shop",
				"com.docker.compose.service":             "web",
				"containerd.io/restart.policy":           "always",
				"containerd.io/restart.status":           "running",
				"io.containerd.image.config.stop-signal": "SIGTERM",
				"nerdctl/auto-remove":                    "false",
				"nerdctl/dns":                            `{"DNSServers":null,"DNSResolvConfOptions":null,"DNSSearchDomains":null}`,
				"nerdctl/extraHosts":                     "[]",
				"nerdctl/host-config":                    `{"BlkioWeight":0,"CidFile":"","Devices":null}`,
				"nerdctl/hostname":                       "c064dfd5f56f",
				"nerdctl/ipc":                            `{"mode":"private"}`,
				"nerdctl/log-config":                     `{"driver":"json-file","address":"/run/containerd/containerd.sock"}`,
				"nerdctl/mounts":                         `[{"Type":"bind","Source":"/tmp","Destination":"/mnt","Mode":"ro","RW":false,"Propagation":""},{"Type":"volume","Name":"data","Source":"/v/data/_data","Destination":"/data","Driver":"local","Mode":"","RW":true,"Propagation":""}]`,
				"nerdctl/name":                           "full",
				"nerdctl/namespace":                      "default",
				"nerdctl/networks":                       `["none"]`,
				"nerdctl/platform":                       "linux/amd64",
				"nerdctl/state-dir":                      "/no/such/dir/c064dfd5f56f",
				"nerdctl/stop-timeout":                   "3",
			}},
			containersv1alpha1.ContainerStatus{
				Name: "full", ComposeProject: "shop", RestartPolicy: "always", Networks: []containersv1alpha1.NetworkAttachment{{Name: "none"}},
				Mounts: []containersv1alpha1.Mount{
					{Type: "volume", Name: "data", Source: "/v/data/_data", Destination: "/data", Driver: "local"},
					{Type: "bind", Source: "/tmp", Destination: "/mnt", Mode: "ro", ReadOnly: true},
				},
			},
		},
		"newest nerdctl": {
			&containersapi.Container{ID: filepath.Base(stateDir), Spec: specification, Labels: map[string]string{
				"nerdctl/name":          "web",
				"nerdctl/state-dir":     stateDir,
				"nerdctl/exposed-ports": `{"80/tcp":{},"443/tcp":{},"7000-7001/tcp":{}}`,
				"nerdctl/mounts.0":      `{"Type":"bind","Source":"/tmp","Destination":"/mnt","RW":true}`,
				"nerdctl/mounts.1":      `{"Type":"volume","Name":"data","Source":"/v","Destination":"/data","RW":true}`,
				"nerdctl/healthstate":   `{"Status":"healthy","FailingStreak":0,"InStartPeriod":false}`,
				"nerdctl/error":         "no such executable",
			}},
			containersv1alpha1.ContainerStatus{
				Name: "web", Error: "no such executable",
				Ports: []containersv1alpha1.Port{
					{Name: "80/tcp", Bindings: []containersv1alpha1.PortBinding{{HostIP: "0.0.0.0", HostPort: "8080"}}}, {Name: "443/tcp"},
				},
				PortSummary: "0.0.0.0:8080->80/tcp, 443/tcp",
				Mounts: []containersv1alpha1.Mount{
					{Type: "volume", Name: "data", Source: "/v", Destination: "/data"}, {Type: "bind", Source: "/tmp", Destination: "/mnt"},
				},
			},
		},
		"of a pod that no kubelet made": {
			&containersapi.Container{
				ID: "c", Labels: map[string]string{"io.cri-containerd.kind": "container"},
				Spec: &anypb.Any{Value: []byte(`{"process":{"args":["sleep","9"]},"annotations":{"io.kubernetes.cri.container-name":"server","io.kubernetes.cri.container-type":"container",
					"io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.sandbox-uid":"u"}}`)},
			},
			containersv1alpha1.ContainerStatus{
				Name: "k8s://prod/web-0/server", Pod: &containersv1alpha1.Pod{Name: "web-0", Namespace: "prod", UID: "u"},
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
			got := containerStatus("ns", recordOf(test.container), nil, "sha256:00")
			test.want.Namespace, test.want.Image, test.want.Path, test.want.Args = "ns", "sha256:00", "sleep", []string{"9"}
			test.want.Labels, test.want.Status, test.want.Conditions = test.container.GetLabels(), containersv1alpha1.PhaseCreated, got.Conditions
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !sameContainer(containerStatus("ns", recordOf(test.container), nil, "sha256:00"), got) {
				t.Error("the same container is taken for another one")
			}
		})
	}
	if status := containerStatus("ns", recordOf(&containersapi.Container{ID: "c"}), nil, ""); status.Path != "" || status.Status != containersv1alpha1.PhaseCreated {
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
		got := containerStatus("ns", recordOf(&containersapi.Container{ID: "c"}), test.process, "")
		if got.Status != test.phase || got.PID != test.pid || got.ExitCode != test.exitCode || (got.FinishedAt != nil) != (test.phase == containersv1alpha1.PhaseExited) {
			t.Errorf("%v: %+v", test.process, got)
		}
	}
}

func TestHealth(t *testing.T) {
	c := &containersapi.Container{ID: "c", Labels: map[string]string{"nerdctl/healthstate": `{"Status":"unhealthy","FailingStreak":3}`}}
	for status, want := range map[task.Status]string{task.Status_RUNNING: "unhealthy", task.Status_STOPPED: ""} {
		if got := containerStatus("ns", recordOf(c), &task.Process{Status: status}, "").Health; got != want {
			t.Errorf("%s: %q, want %q", status, got, want)
		}
	}
}

func TestStopGrace(t *testing.T) {
	for noted, want := range map[string]time.Duration{"": 10 * time.Second, "3": 3 * time.Second, "0": 0, "-1": 0, "soon": 10 * time.Second} {
		if got := (labels{nerdctlStopTimeout: noted}).stopGrace(); got != want {
			t.Errorf("%q: %s, want %s", noted, got, want)
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
