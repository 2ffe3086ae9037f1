// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/service"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30

	socket = "unix:///run/docker.sock"
)

func ready() *service.Status {
	return &service.Status{Instance: "2", Created: true, Started: true, PID: 4711, Ready: true, Version: "0.1.0", Address: "127.0.0.1:6445",
		Uptime: 187.4, Memory: 131_000_000}
}

func condition(kind string, state metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: state, Reason: reason, Message: message}
}

// statusOf returns the status of an instance whose App has an endpoint.
func statusOf(endpoint string, engine, settled metav1.Condition) *Status {
	app := &appv1alpha1.App{}
	app.Name, app.UID = appv1alpha1.AppName, "app"
	app.Spec.Running, app.Spec.ContainerEngine.Endpoint = true, endpoint
	app.Status.Conditions = []metav1.Condition{settled, condition(appv1alpha1.ConditionRunning, settled.Status, settled.Reason, settled.Message)}
	observed := diagnostics.Observed{App: app, Disk: &diagnostics.Disk{Free: 40 * gibibyte, Total: 100 * gibibyte}}
	if endpoint != "" {
		e := containersv1alpha1.ContainerEngine{}
		e.Namespace, e.Name = "rancher-desktop", "moby"
		e.Spec.Type, e.Spec.Endpoint = containersv1alpha1.EngineMoby, endpoint
		e.Status = containersv1alpha1.ContainerEngineStatus{EngineID: "x", Version: "20.10.24", Containers: 12, Images: 40, Volumes: 7,
			Conditions: []metav1.Condition{engine}}
		observed.Engines = append(observed.Engines, e)
	}
	s := &Status{Service: ready(), answered: true, Disk: &Disk{Path: "/data", Free: 40 * gibibyte, Total: 100 * gibibyte},
		Store: &Store{Path: "/data/store.db", Size: 3 * mebibyte}, Contexts: &Contexts{Name: "rancher-desktop-2", Endpoint: socket, Current: "default"}}
	s.take(&observed)
	s.Diagnostics = diagnostics.Known().Diagnose(observed)
	return s
}

// TestScreens compares whole screens.
func TestScreens(t *testing.T) {
	const (
		yes = metav1.ConditionTrue
		no  = metav1.ConditionFalse
	)
	well := statusOf(socket, condition("Ready", yes, "Connected", "connected"), condition("Settled", yes, "Settled", "connected to "+socket))
	hangs := &Status{Service: ready(), Diagnostics: diagnostics.Known().Diagnose(diagnostics.Observed{
		Daemon: &diagnostics.Daemon{Instance: "2", PID: 4711, Failure: errors.New("no answer within 10s")}})}
	for name, c := range map[string]struct {
		status *Status
		want   string
	}{
		"nothing": {&Status{Service: &service.Status{Instance: "2"}, Contexts: &Contexts{Current: "default", Overridden: "DOCKER_HOST"}}, `
Instance   2
Service    not created: use ‘rdd start’ or ‘rdd set’ to create it
Docker     current context default; this instance has no context; overridden by DOCKER_HOST
Problems   none
`},
		"stopped": {&Status{Service: &service.Status{Instance: "2", Created: true}, Disk: well.Disk, Store: well.Store}, `
Instance   2
Service    stopped
Disk       40 GiB of 100 GiB free, store 3.0 MiB (/data)
Problems   none
`},
		"starting": {&Status{Service: &service.Status{Instance: "2", Created: true, Started: true, PID: 4711, Waiting: "crds", Version: "0.1.0"}}, `
Instance   2
Service    starting, waiting for crds (process 4711, rdd 0.1.0)
Problems   none
`},
		"stopping": {&Status{Service: &service.Status{Instance: "2", Created: true, Started: true, PID: 4711, Ready: true, Stopping: true, Version: "0.1.0"}}, `
Instance   2
Service    stopping (process 4711, rdd 0.1.0)
Problems   none
`},
		"no App": {&Status{Service: ready(), answered: true}, `
Instance   2
Service    ready, up for 3m7s (process 4711, rdd 0.1.0, 131 MB, https://127.0.0.1:6445)
App        none: use ‘rdd start’ to create it
Problems   none
`},
		"all is well": {well, `
Instance   2
Service    ready, up for 3m7s (process 4711, rdd 0.1.0, 131 MB, https://127.0.0.1:6445)
App        desired state running: Settled, connected to unix:///run/docker.sock
VM         none: the App uses an existing engine
Engine     rancher-desktop/moby at unix:///run/docker.sock: Connected, moby 20.10.24
           12 containers, 40 images, 7 volumes
Docker     current context default; this instance's context rancher-desktop-2
Disk       40 GiB of 100 GiB free, store 3.0 MiB (/data)
Problems   none
`},
		"the engine is gone": {statusOf("tcp://far:2375", condition("Ready", no, "Disconnected", "tcp://far:2375: EOF"), condition("Settled", no, "Disconnected", "EOF")), `
Instance   2
Service    ready, up for 3m7s (process 4711, rdd 0.1.0, 131 MB, https://127.0.0.1:6445)
App        desired state running: Disconnected
VM         none: the App uses an existing engine
Engine     rancher-desktop/moby at tcp://far:2375: Disconnected
           12 containers, 40 images, 7 volumes
Docker     current context default; this instance's context rancher-desktop-2
Disk       40 GiB of 100 GiB free, store 3.0 MiB (/data)

error: The engine does not answer (engine-not-answering, ContainerEngine rancher-desktop/moby)
  tcp://far:2375: EOF
  What to do: check that it answers: ‘docker -H tcp://far:2375 version’; start it on far, and configure it to listen at that address. Or use another engine: ‘rdd ctl edit containerengine -n rancher-desktop moby’. RDD reconnects when the engine answers
`},
		"a virtual machine starts": {statusOf("", metav1.Condition{}, condition("Settled", no, "WaitingForVM", "it boots")), `
Instance   2
Service    ready, up for 3m7s (process 4711, rdd 0.1.0, 131 MB, https://127.0.0.1:6445)
App        desired state running: WaitingForVM, it boots
VM         WaitingForVM, it boots
Docker     current context default; this instance's context rancher-desktop-2
Disk       40 GiB of 100 GiB free, store 3.0 MiB (/data)
Problems   none
`},
		"the daemon hangs": {hangs, `
Instance   2
Service    ready, up for 3m7s (process 4711, rdd 0.1.0, 131 MB, https://127.0.0.1:6445)

error: The daemon does not answer (daemon-not-answering, Service 2)
  process 4711 runs and is ready, but did not answer: no answer within 10s
  What to do: see ‘rdd service log’; ‘rdd service stop --timeout 30s’ stops the daemon, by force if necessary, and ‘rdd service start’ starts it again: containers continue to run
`},
	} {
		t.Run(name, func(t *testing.T) {
			var screen strings.Builder
			if err := c.status.Print(&screen); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("‘", "`", "’", "`").Replace(strings.TrimPrefix(c.want, "\n"))
			if diff := cmp.Diff(want, screen.String()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// TestSteady: figures that change all the time do not count as a change.
func TestSteady(t *testing.T) {
	full := func(free int64, uptime float64, sync time.Time) string {
		s := statusOf(socket, condition("Ready", metav1.ConditionTrue, "Connected", ""), condition("Settled", metav1.ConditionTrue, "Settled", ""))
		s.Service.Uptime, s.Service.Memory = uptime, int64(uptime)
		s.Disk.Free, s.Store.Size = free, free
		s.Engines[0].Status.LastSync = &metav1.Time{Time: sync}
		s.Diagnostics = diagnostics.Known().Diagnose(diagnostics.Observed{Disk: &diagnostics.Disk{Free: free, Total: gibibyte}})
		var screen strings.Builder
		if err := s.Steady().Print(&screen); err != nil {
			t.Fatal(err)
		}
		return screen.String()
	}
	if diff := cmp.Diff(full(100*mebibyte, 1, time.Unix(1, 0)), full(50*mebibyte, 2, time.Unix(2, 0))); diff != "" {
		t.Error(diff)
	}
	if full(100*mebibyte, 1, time.Unix(1, 0)) == full(2*gibibyte, 1, time.Unix(1, 0)) {
		t.Error("a disk that is no longer nearly full does not count as a change")
	}
}
