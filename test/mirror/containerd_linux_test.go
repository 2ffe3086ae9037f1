// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/oci"
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
		hands := &containerdHands{Hands: engine.Hands(), client: engine.Client, engineName: "moby", ids: map[string]string{}}
		return subject{realContainerd{engine}, hands, nil, containersv1alpha1.EngineContainerd, containerd.Namespace, "containerd.(*Engine).Logs.func1"}
	}
}

// containerdHands work through containerd's own client, in one namespace, on
// containers that get the objects' names.
type containerdHands struct {
	*containerd.Hands // by IDs
	client            *client.Client
	engineName        string // the ContainerEngine's

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

func (h *containerdHands) id(object string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[object]
}

func (h *containerdHands) Create(ctx context.Context, name string, config container.Config, host container.HostConfig) (string, error) {
	var options []oci.SpecOpts
	for _, bind := range host.Binds {
		source, destination, _ := strings.Cut(bind, ":")
		options = append(options, oci.WithMounts([]specs.Mount{{Type: "bind", Source: source, Destination: destination, Options: []string{"rbind", "rw"}}}))
	}
	labels := maps.Clone(config.Labels)
	if host.RestartPolicy.Name != "" {
		labels = map[string]string{"containerd.io/restart.policy": string(host.RestartPolicy.Name)}
		maps.Copy(labels, config.Labels)
	}
	err := h.Hands.Create(ctx, name, config.Image, config.Cmd, labels, options...)
	return h.object(name), err
}

func (h *containerdHands) Start(ctx context.Context, object string) error {
	return h.Hands.Start(ctx, h.id(object))
}

func (h *containerdHands) Pause(ctx context.Context, object string) error {
	return h.Hands.Pause(ctx, h.id(object))
}

func (h *containerdHands) Unpause(ctx context.Context, object string) error {
	return h.Hands.Unpause(ctx, h.id(object))
}

func (h *containerdHands) Kill(ctx context.Context, object string) error {
	return h.Hands.Kill(ctx, h.id(object))
}

func (h *containerdHands) Remove(ctx context.Context, object string) error {
	return h.Hands.Remove(ctx, h.id(object))
}

func (h *containerdHands) Running(ctx context.Context, object string) (bool, error) {
	ctx = containerd.In(ctx, containerd.Namespace)
	_, task, err := h.Load(ctx, h.id(object))
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

func (h *containerdHands) HasImage(ctx context.Context, reference string) bool {
	ctx = containerd.In(ctx, containerd.Namespace)
	_, err := h.client.GetImage(ctx, reference)
	return err == nil
}

func (h *containerdHands) Diff(ctx context.Context, kube ctrlclient.Reader, engineName string) (string, error) {
	return compare.DiffContainerd(ctx, h.client, kube, namespace, engineName)
}
