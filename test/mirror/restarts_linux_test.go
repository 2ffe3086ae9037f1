// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// TestRestartMonitor: a container that is stopped stays so, whatever its policy
// is, and one that is started is looked after again.
func TestRestartMonitor(t *testing.T) {
	t.Parallel()
	controlplanetest.Quiet()
	program := containerd.StartWith(t, containerd.Debian, containerd.Config{Restarts: true})
	hands := &containerdHands{Hands: program.Hands(), client: program.Client, engineName: "moby", ids: map[string]string{}}
	s := subject{realContainerd{program}, hands, nil, containersv1alpha1.EngineContainerd, containerd.Namespace, ""}
	proxy := containerd.StartProxy(t, program)
	// The monitor looks at all of them between the steps of a stop, and of a start.
	proxy.Delay("containers.v1.Containers/Update", 500*time.Millisecond)
	e := newEnv(t, nil, proxy.Endpoint())
	e.hands, e.engineType, e.inEngine = s.hands, s.engineType, s.inEngine
	e.connect("moby")
	d := &driver{env: e, engine: s}
	run := func(name, policy string) string {
		labels := map[string]string{"containerd.io/restart.status": "running", "containerd.io/restart.policy": policy}
		id, err := hands.Create(t.Context(), name, container.Config{Image: busyboxImage, Cmd: []string{"sleep", "10000"}, Labels: labels}, container.HostConfig{})
		e.must(err)
		e.eventually("the monitor starts it", func() (bool, string) {
			running, err := hands.Running(t.Context(), id)
			return running, fmt.Sprint(err)
		})
		return id
	}
	// restarted kills a container, and waits until the monitor has started it.
	restarted := func(id string) {
		_, before, err := hands.Load(t.Context(), hands.id(id))
		e.must(err)
		e.must(before.Kill(containerd.In(t.Context(), containerd.Namespace), 9))
		e.eventually("the monitor starts it again", func() (bool, string) {
			_, now, err := hands.Load(t.Context(), hands.id(id))
			if err != nil || now == nil || now.Pid() == before.Pid() {
				return false, fmt.Sprint(err)
			}
			running, err := hands.Running(t.Context(), id)
			return running, fmt.Sprint(err)
		})
	}
	// remove removes a container, of which the monitor may have deleted the ended
	// task, or started another one, between the steps.
	remove := func(id string) {
		e.eventually("it is removed", func() (bool, string) {
			err := hands.Remove(t.Context(), id)
			return err == nil, fmt.Sprint(err)
		})
	}
	other := run("other", "always")
	for _, policy := range []string{"always", "on-failure", "unless-stopped"} {
		id := run(policy, policy)
		e.becomes(id, containersv1alpha1.PhaseRunning)
		e.askAction(id, containersv1alpha1.ActionStop)
		e.becomes(id, containersv1alpha1.PhaseExited)
		for range 2 { // in which the monitor looks at all of them
			restarted(other)
		}
		if c := e.becomes(id, containersv1alpha1.PhaseExited); c.Status.ExitCode != 137 {
			t.Errorf("%s: it was stopped, and is %+v", policy, c.Status)
		}
		e.askAction(id, containersv1alpha1.ActionStart)
		e.becomes(id, containersv1alpha1.PhaseRunning)
		if policy != "unless-stopped" { // Debian's version does not know it
			restarted(id)
		}
		remove(id)
	}
	remove(other)
	d.equal("moby")
}
