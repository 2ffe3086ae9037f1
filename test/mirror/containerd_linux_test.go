// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/containerd"
)

// realContainerd is a containerd of its own.
type realContainerd struct{ *containerd.Engine }

func (r realContainerd) Restart(between func()) {
	r.Kill()
	between()
	r.Start()
}

func startContainerd(program containerd.Program) func(*testing.T) subject {
	return func(t *testing.T) subject {
		controlplanetest.Quiet()
		engine := containerd.Start(t, program)
		hands := &containerdHands{client: engine.Client, engineName: "moby", logs: filepath.Join(engine.Dir(), "logs"), ids: map[string]string{}}
		return subject{realContainerd{engine}, hands, nil, containersv1alpha1.EngineContainerd, containerd.Namespace, "containerd.(*Engine).Logs.func1"}
	}
}

// containerdHands work through containerd's own client, in one namespace.
type containerdHands struct {
	client     *client.Client
	engineName string // the ContainerEngine's
	logs       string // the directory that containers write to

	mu  sync.Mutex
	ids map[string]string // guarded by mu; by object
}

func (h *containerdHands) object(id string) string {
	name := containersv1alpha1.NamespacedContainerName(h.engineName, containerd.Namespace, id)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids[name] = id
	return name
}

// load returns a container and its task, nil for none.
func (h *containerdHands) load(ctx context.Context, object string) (client.Container, client.Task, error) {
	ctx = containerd.In(ctx, containerd.Namespace)
	h.mu.Lock()
	id := h.ids[object]
	h.mu.Unlock()
	c, err := h.client.LoadContainer(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	task, err := c.Task(ctx, nil)
	if cerrdefs.IsNotFound(err) {
		return c, nil, nil
	}
	return c, task, err
}

// Create makes a container whose client, as nerdctl, has noted where its output
// goes.
func (h *containerdHands) Create(ctx context.Context, name string, config container.Config, host container.HostConfig) (string, error) {
	ctx = containerd.In(ctx, containerd.Namespace)
	image, err := h.client.GetImage(ctx, config.Image)
	if err != nil {
		return "", err
	}
	options := []oci.SpecOpts{oci.WithImageConfigArgs(image, config.Cmd)}
	for _, bind := range host.Binds {
		source, destination, _ := strings.Cut(bind, ":")
		options = append(options, oci.WithMounts([]specs.Mount{{Type: "bind", Source: source, Destination: destination, Options: []string{"rbind", "rw"}}}))
	}
	labels := map[string]string{}
	for key, value := range config.Labels {
		labels[key] = value
	}
	labels["containerd.io/restart.loguri"] = "file://" + filepath.Join(h.logs, name)
	if host.RestartPolicy.Name != "" {
		labels["containerd.io/restart.policy"] = string(host.RestartPolicy.Name)
	}
	// Its first process takes signals like any other only with a handler for them.
	_, err = h.client.NewContainer(ctx, name, client.WithImage(image), client.WithNewSnapshot(name, image),
		client.WithContainerLabels(labels), client.WithNewSpec(options...), client.WithAdditionalContainerLabels(map[string]string{
			"io.containerd.image.config.stop-signal": "SIGKILL",
		}))
	return h.object(name), err
}

func (h *containerdHands) Start(ctx context.Context, object string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	c, task, err := h.load(ctx, object)
	if err != nil {
		return err
	}
	if task != nil {
		if _, err := task.Delete(ctx); err != nil {
			return err
		}
	}
	labels, err := c.Labels(ctx)
	if err != nil {
		return err
	}
	task, err = c.NewTask(ctx, cio.LogFile(strings.TrimPrefix(labels["containerd.io/restart.loguri"], "file://")))
	if err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		_, _ = task.Delete(ctx)
		return err
	}
	return nil
}

// onTask does something to a task.
func (h *containerdHands) onTask(ctx context.Context, object string, do func(client.Task) error) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	_, task, err := h.load(ctx, object)
	if err != nil {
		return err
	}
	if task == nil {
		return fmt.Errorf("container %s has no task", object)
	}
	return do(task)
}

func (h *containerdHands) Pause(ctx context.Context, object string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	return h.onTask(ctx, object, func(t client.Task) error { return t.Pause(ctx) })
}

func (h *containerdHands) Unpause(ctx context.Context, object string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	return h.onTask(ctx, object, func(t client.Task) error { return t.Resume(ctx) })
}

func (h *containerdHands) Kill(ctx context.Context, object string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	return h.onTask(ctx, object, func(t client.Task) error {
		ended, err := t.Wait(ctx)
		if err != nil {
			return err
		}
		if err := t.Kill(ctx, syscall.SIGKILL); err != nil {
			return err
		}
		return (<-ended).Error()
	})
}

func (h *containerdHands) Remove(ctx context.Context, object string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	c, task, err := h.load(ctx, object)
	if err != nil {
		return err
	}
	if task != nil {
		if status, err := task.Status(ctx); err == nil && status.Status == client.Paused {
			_ = task.Resume(ctx)
		}
		if _, err := task.Delete(ctx, client.WithProcessKill); err != nil {
			return err
		}
	}
	return c.Delete(ctx, client.WithSnapshotCleanup)
}

func (h *containerdHands) Running(ctx context.Context, object string) (bool, error) {
	ctx = containerd.In(ctx, containerd.Namespace)
	_, task, err := h.load(ctx, object)
	if err != nil || task == nil {
		return false, err
	}
	status, err := task.Status(ctx)
	return status.Status == client.Running, err
}

func (h *containerdHands) Containers(ctx context.Context) ([]string, error) {
	ctx = containerd.In(ctx, containerd.Namespace)
	list, err := h.client.Containers(ctx)
	var objects []string
	for _, c := range list {
		objects = append(objects, h.object(c.ID()))
	}
	return objects, err
}

// Tag makes a name lead to the image, wherever it led to before.
func (h *containerdHands) Tag(ctx context.Context, source, target string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	all, err := h.client.ImageService().List(ctx)
	if err != nil {
		return err
	}
	for _, image := range all {
		if image.Name != source && image.Target.Digest.String() != source {
			continue
		}
		renamed := images.Image{Name: target, Target: image.Target}
		if _, err = h.client.ImageService().Create(ctx, renamed); cerrdefs.IsAlreadyExists(err) {
			_, err = h.client.ImageService().Update(ctx, renamed)
		}
		return err
	}
	return fmt.Errorf("there is no image %s", source)
}

func (h *containerdHands) Untag(ctx context.Context, reference string) error {
	ctx = containerd.In(ctx, containerd.Namespace)
	return h.client.ImageService().Delete(ctx, reference)
}

func (h *containerdHands) HasImage(ctx context.Context, reference string) bool {
	ctx = containerd.In(ctx, containerd.Namespace)
	_, err := h.client.GetImage(ctx, reference)
	return err == nil
}

func (h *containerdHands) Diff(ctx context.Context, kube ctrlclient.Reader, engineName string) (string, error) {
	return compare.DiffContainerd(ctx, h.client, kube, namespace, engineName)
}
