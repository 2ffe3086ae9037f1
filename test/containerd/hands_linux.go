// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	runc "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	cerrdefs "github.com/containerd/errdefs"
)

// logLabel is where a container's maker notes where it writes to.
const logLabel = "containerd.io/restart.loguri"

// runcRoot is runc's directory, in the engine's.
const runcRoot = "runc"

// Hands do what people do to containers and images in [Namespace], through
// containerd's own client.
type Hands struct {
	client *client.Client
	engine *Engine
}

// Hands returns some for this engine.
func (e *Engine) Hands() *Hands {
	return &Hands{client: e.Client, engine: e}
}

// Create makes a container of an image, with a command. Its labels have, as with
// nerdctl, where its output goes. It ends on a signal: the first process
// of a container takes other signals than SIGKILL only with a handler for them.
//
// What runc knows of it and its control group are the engine's own: else those of
// the same name in two containerds that run at the same time would be one.
func (h *Hands) Create(ctx context.Context, id, image string, cmd []string, labels map[string]string, options ...oci.SpecOpts) error {
	ctx = In(ctx, Namespace)
	from, err := h.client.GetImage(ctx, image)
	if err != nil {
		return err
	}
	all := map[string]string{logLabel: "file://" + filepath.Join(h.engine.path("logs"), id)}
	for key, value := range labels {
		all[key] = value
	}
	options = append([]oci.SpecOpts{oci.WithImageConfigArgs(from, cmd), oci.WithCgroup("/" + h.engine.controlGroup(id))}, options...)
	_, err = h.client.NewContainer(ctx, id, client.WithImage(from), client.WithNewSnapshot(id, from), client.WithContainerLabels(all),
		client.WithNewSpec(options...),
		client.WithRuntime(runtimeName, &runc.Options{Root: h.engine.path(runcRoot)}),
		client.WithAdditionalContainerLabels(map[string]string{"io.containerd.image.config.stop-signal": "SIGKILL"}))
	return err
}

// KnownToRunc returns the directory in which runc keeps what it knows of a
// container that [Hands] have made.
func (e *Engine) KnownToRunc(id string) string {
	return filepath.Join(e.path(runcRoot), Namespace, id)
}

// Load returns a container and its task, nil for none.
func (h *Hands) Load(ctx context.Context, id string) (client.Container, client.Task, error) {
	ctx = In(ctx, Namespace)
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

// Start starts a container, in the place of a run before.
func (h *Hands) Start(ctx context.Context, id string) error {
	ctx = In(ctx, Namespace)
	c, task, err := h.Load(ctx, id)
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
	task, err = c.NewTask(ctx, cio.LogFile(strings.TrimPrefix(labels[logLabel], "file://")))
	if err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		_, _ = task.Delete(ctx)
		return err
	}
	return nil
}

func (h *Hands) onTask(ctx context.Context, id string, do func(context.Context, client.Task) error) error {
	_, task, err := h.Load(ctx, id)
	if err != nil {
		return err
	}
	if task == nil {
		return fmt.Errorf("container %s has no task", id)
	}
	return do(In(ctx, Namespace), task)
}

// Pause pauses a container.
func (h *Hands) Pause(ctx context.Context, id string) error {
	return h.onTask(ctx, id, func(ctx context.Context, t client.Task) error { return t.Pause(ctx) })
}

// Unpause has a paused container go on.
func (h *Hands) Unpause(ctx context.Context, id string) error {
	return h.onTask(ctx, id, func(ctx context.Context, t client.Task) error { return t.Resume(ctx) })
}

// Kill ends a container with SIGKILL, and waits for its end.
func (h *Hands) Kill(ctx context.Context, id string) error {
	return h.onTask(ctx, id, func(ctx context.Context, t client.Task) error {
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

// Remove removes a container, whatever it does.
func (h *Hands) Remove(ctx context.Context, id string) error {
	ctx = In(ctx, Namespace)
	c, task, err := h.Load(ctx, id)
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

// Tag makes a name lead to an image, of which source is a name or the digest,
// wherever it led to before.
func (h *Hands) Tag(ctx context.Context, source, target string) error {
	ctx = In(ctx, Namespace)
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

// Untag removes a name of an image.
func (h *Hands) Untag(ctx context.Context, reference string) error {
	return h.client.ImageService().Delete(In(ctx, Namespace), reference)
}
