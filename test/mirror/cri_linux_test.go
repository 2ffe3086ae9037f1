// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// pods is a mirror of a containerd that serves the CRI, and one pod in it.
type pods struct {
	*env
	real    *containerd.Engine
	sandbox string // the pod's, by the CRI
	config  *cri.PodSandboxConfig
	labels  map[string]string
}

func newPods(t *testing.T, labels map[string]string) *pods {
	t.Helper()
	controlplanetest.Quiet()
	engine := containerd.StartWith(t, containerd.Debian, containerd.Config{CRI: true})
	e := newEnv(t, nil, engine.Endpoint())
	e.engineType, e.inEngine = containersv1alpha1.EngineContainerd, containerd.CRINamespace
	e.connect("moby")
	sandbox, config, err := engine.Pod(t.Context(), "prod", "web-0", labels)
	e.must(err)
	return &pods{env: e, real: engine, sandbox: sandbox, config: config, labels: labels}
}

// with makes a container in the pod, and returns its ID and its object's name.
func (p *pods) with(name string, command ...string) (id, object string) {
	p.t.Helper()
	labels := map[string]string{}
	for key, value := range p.labels {
		labels[key] = value
	}
	if len(labels) > 0 {
		labels["io.kubernetes.container.name"] = name
	}
	id, err := p.real.InPod(p.t.Context(), p.sandbox, p.config, name, labels, map[string]string{
		"io.kubernetes.container.ports": `[{"containerPort":80,"protocol":"TCP"},{"hostPort":8443,"containerPort":443,"protocol":"TCP"}]`,
	}, command...)
	p.must(err)
	return id, p.object(id)
}

func (p *pods) object(id string) string {
	return containersv1alpha1.NamespacedContainerName("moby", containerd.CRINamespace, id)
}

func (p *pods) start(id string) {
	p.t.Helper()
	_, err := p.real.CRI.StartContainer(p.t.Context(), &cri.StartContainerRequest{ContainerId: id})
	p.must(err)
}

// state is what the CRI says of a container.
func (p *pods) state(id string) (*cri.ContainerStatus, error) {
	response, err := p.real.CRI.ContainerStatus(p.t.Context(), &cri.ContainerStatusRequest{ContainerId: id})
	return response.GetStatus(), err
}

// appears waits until a container is mirrored, and is in a phase.
func (p *pods) appears(object string, phase containersv1alpha1.Phase) *containersv1alpha1.Container {
	p.t.Helper()
	p.eventually("the container is mirrored, and "+string(phase), func() (bool, string) {
		var list containersv1alpha1.ContainerList
		p.list(&list)
		for i := range list.Items {
			if list.Items[i].Name == object {
				return list.Items[i].Status.Status == phase, fmt.Sprintf("%+v", list.Items[i].Status)
			}
		}
		return false, fmt.Sprint(len(list.Items), " others")
	})
	return p.container(object)
}

// kubelet is what the kubelet writes on a pod, and on its containers.
var kubelet = map[string]string{
	"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.uid": "uid-web-0",
}

// TestPods: what the CRI of a real containerd makes is mirrored as what it is,
// whether a kubelet made it or a tool that writes no labels of its own.
func TestPods(t *testing.T) {
	t.Parallel()
	for name, labels := range map[string]map[string]string{"Kubelet": kubelet, "NoLabels": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPods(t, labels)
			pod := containersv1alpha1.Pod{Name: "web-0", Namespace: "prod", UID: "uid-web-0"}
			sandbox := p.appears(p.object(p.sandbox), containersv1alpha1.PhaseRunning)
			want := pod
			want.Sandbox = true
			if s := sandbox.Status; s.Name != "k8s://prod/web-0" || s.Namespace != "k8s.io" || s.Pod == nil || *s.Pod != want {
				t.Errorf("the sandbox is %+v, of the pod %+v", s, s.Pod)
			}
			id, object := p.with("server", "sh", "-c", "echo hello; exec sleep 1000")
			p.appears(object, containersv1alpha1.PhaseCreated)
			p.start(id)
			c := p.appears(object, containersv1alpha1.PhaseRunning)
			if s := c.Status; s.Name != "k8s://prod/web-0/server" || s.Namespace != "k8s.io" || s.Pod == nil || *s.Pod != pod ||
				s.ImageName != containerd.CRIImage || s.Image == "" || s.Path != "sh" || s.PID == 0 || s.PortSummary != "80/tcp, :8443->443/tcp" {
				t.Errorf("the container is %+v, of the pod %+v", s, s.Pod)
			}
			server := p.endpoints()
			d := &driver{env: p.env}
			if code, stdout, _ := d.exec(server, object, false, "echo", "in it"); code != 0 || stdout != "in it\n" {
				t.Errorf("a process in it: %d %q", code, stdout)
			}
			p.eventually("its log is read", func() (bool, string) {
				conn, code := dialLogs(t, server, object, "")
				if conn == nil {
					return false, fmt.Sprint(code)
				}
				log := readLog(t, conn)
				return log == "hello\n", log
			})
		})
	}
}

// TestPodsEnd: the CRI plugin deletes a task as soon as it has ended, and knows how.
func TestPodsEnd(t *testing.T) {
	t.Parallel()
	p := newPods(t, kubelet)
	failing, object := p.with("failing", "sh", "-c", "exit 3")
	p.start(failing)
	c := p.appears(object, containersv1alpha1.PhaseExited)
	p.eventually("the task is deleted, and the CRI asked", func() (bool, string) {
		c = p.container(object)
		return c.Status.StartedAt != nil, fmt.Sprintf("%+v", c.Status)
	})
	if s := c.Status; s.Status != containersv1alpha1.PhaseExited || s.ExitCode != 3 || s.FinishedAt == nil {
		t.Errorf("it ended with 3, and is %+v", s)
	}
	d := &driver{env: p.env}
	d.compareLists("container")

	server, object := p.with("server", "sleep", "1000")
	p.start(server)
	p.appears(object, containersv1alpha1.PhaseRunning)
	p.askAction(object, containersv1alpha1.ActionPause)
	p.becomes(object, containersv1alpha1.PhasePaused)
	p.askAction(object, containersv1alpha1.ActionUnpause)
	p.becomes(object, containersv1alpha1.PhaseRunning)
	p.askState(object, containersv1alpha1.StateExited)
	if c := p.becomes(object, containersv1alpha1.PhaseExited); c.Status.ExitCode != 143 || c.Status.LastAction.State != containersv1alpha1.ActionSucceeded {
		t.Errorf("it was stopped, and is %+v; %+v", c.Status, c.Status.LastAction)
	}
	p.eventually("the CRI knows that it has ended", func() (bool, string) {
		state, err := p.state(server)
		return err == nil && state.GetState() == cri.ContainerState_CONTAINER_EXITED, fmt.Sprint(state, err)
	})

	p.askAction(object, containersv1alpha1.ActionStart)
	if c := p.becomes(object, containersv1alpha1.PhaseExited); c.Status.LastAction.State != containersv1alpha1.ActionFailed {
		t.Errorf("the CRI starts a container once, and this one again: %+v", c.Status.LastAction)
	}

	created, object := p.with("created", "sleep", "1000")
	p.appears(object, containersv1alpha1.PhaseCreated)
	p.askState(object, containersv1alpha1.StateRunning)
	p.becomes(object, containersv1alpha1.PhaseRunning)
	if state, err := p.state(created); err != nil || state.GetState() != cri.ContainerState_CONTAINER_RUNNING {
		t.Errorf("the CRI does not know that it was started: %v, %v", state, err)
	}
}

// TestPodsDeleted: nothing is left of what is deleted, in the CRI's memory neither.
func TestPodsDeleted(t *testing.T) {
	t.Parallel()
	p := newPods(t, kubelet)
	server, object := p.with("server", "sleep", "1000")
	p.start(server)
	p.appears(object, containersv1alpha1.PhaseRunning)
	p.must(p.kube.Delete(t.Context(), p.container(object)))
	p.gone(object)
	// The plugin forgets a container just after containerd's event of its removal.
	p.eventually("the CRI has forgotten the container", func() (bool, string) {
		state, err := p.state(server)
		return err != nil, fmt.Sprint(state)
	})
	other, object := p.with("other", "sleep", "1000")
	p.start(other)
	p.appears(object, containersv1alpha1.PhaseRunning)
	sandbox := p.appears(p.object(p.sandbox), containersv1alpha1.PhaseRunning)
	p.must(p.kube.Delete(t.Context(), sandbox))
	p.gone(sandbox.Name)
	p.gone(object)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p.eventually("the CRI has forgotten the pod", func() (bool, string) {
		list, err := p.real.CRI.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		return err == nil && len(list.GetItems()) == 0, fmt.Sprint(list.GetItems(), err)
	})
}

func (p *pods) gone(object string) {
	p.t.Helper()
	p.eventually("the container is gone", func() (bool, string) {
		var list containersv1alpha1.ContainerList
		p.list(&list)
		for i := range list.Items {
			if list.Items[i].Name == object {
				return false, fmt.Sprint(list.Items[i].Status.Conditions)
			}
		}
		return true, ""
	})
}
