// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Act implements [engine.Engine].
func (e *Engine) Act(ctx context.Context, key engine.Key, action containersv1alpha1.Action) error {
	defer e.records.forget(key.Namespace, key.ID)
	c, err := e.container(ctx, key)
	if err != nil {
		return err
	}
	process, err := e.task(ctx, key)
	if err != nil {
		return err
	}
	switch action {
	case containersv1alpha1.ActionStart:
		return e.start(ctx, key, c, process)
	case containersv1alpha1.ActionStop:
		return e.stop(ctx, key, c, process)
	case containersv1alpha1.ActionRestart:
		if ofCRI(c) {
			return fmt.Errorf("%w: container %s belongs to a pod, which starts each container once: stop it, and the kubelet creates another one",
				engine.ErrRefused, key.ID)
		}
		if err := e.stop(ctx, key, c, process); err != nil {
			return err
		}
		if process, err = e.task(ctx, key); err != nil {
			return err
		}
		return e.start(ctx, key, c, process)
	case containersv1alpha1.ActionPause:
		if process.GetStatus() != task.Status_RUNNING {
			return refuse(key, process, "only a running container can be paused")
		}
		_, err = e.tasks.Pause(in(ctx, key.Namespace), &tasksapi.PauseTaskRequest{ContainerID: key.ID})
		return e.refusal(err)
	case containersv1alpha1.ActionUnpause:
		if process.GetStatus() != task.Status_PAUSED {
			return refuse(key, process, "only a paused container can be unpaused")
		}
		_, err = e.tasks.Resume(in(ctx, key.Namespace), &tasksapi.ResumeTaskRequest{ContainerID: key.ID})
		return e.refusal(err)
	}
	return fmt.Errorf("%w: there is no action %q", engine.ErrRefused, action)
}

// refuse returns the error for a container in a wrong state.
func refuse(key engine.Key, process *task.Process, why string) error {
	return fmt.Errorf("%w: container %s is %s: %s", engine.ErrRefused, key.ID, phase(process), why)
}

// Remove implements [engine.Engine]. There is no forced remove in containerd.
func (e *Engine) Remove(ctx context.Context, key engine.Key, options engine.RemoveOptions) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := e.remove(ctx, key, options)
	if errdefs.IsInternal(err) || errdefs.IsUnknown(err) {
		return fmt.Errorf("%w: %w", engine.ErrFailed, err)
	}
	return err
}

func (e *Engine) remove(ctx context.Context, key engine.Key, options engine.RemoveOptions) error {
	switch key.Kind {
	case engine.KindContainer:
		return e.removeContainer(ctx, key)
	case engine.KindImage:
		return e.removeImage(ctx, key, options.Tag)
	case engine.KindNamespace:
		_, err := e.namespaces.Delete(in(ctx, key.ID), &namespacesapi.DeleteNamespaceRequest{Name: key.ID})
		return e.translate(err) // containerd refuses unless it is empty
	case engine.KindVolume, engine.KindNetwork:
		return fmt.Errorf("%w: containerd has no %ss", engine.ErrNotFound, key.Kind)
	}
	return fmt.Errorf("%w: a %s can't be removed", engine.ErrRefused, key.Kind)
}

// removeContainer kills a container's task, and removes it and its file system.
func (e *Engine) removeContainer(ctx context.Context, key engine.Key) error {
	defer e.records.forget(key.Namespace, key.ID)
	c, err := e.container(ctx, key)
	if err != nil {
		return err
	}
	if ofCRI(c) {
		if err := e.criRemove(ctx, c); err != nil {
			return err
		}
		if c, err = e.container(ctx, key); errors.Is(err, engine.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	process, err := e.task(ctx, key)
	if err != nil {
		return err
	}
	if process == nil {
		e.clearTask(ctx, key)
	} else if err := e.end(ctx, key, process); err != nil {
		return err
	}
	if _, err := e.containers.Delete(in(ctx, key.Namespace), &containersapi.DeleteContainerRequest{ID: key.ID}); err != nil {
		return e.translate(err)
	}
	if c.GetSnapshotKey() == "" {
		return nil
	}
	_, err = e.snapshots.Remove(in(ctx, key.Namespace), &snapshotsapi.RemoveSnapshotRequest{Snapshotter: c.GetSnapshotter(), Key: c.GetSnapshotKey()})
	if err = e.translate(err); errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// removeImage removes a tag of an image. With the last tag it also removes the names
// that are digests, and so the image.
func (e *Engine) removeImage(ctx context.Context, key engine.Key, tag string) error {
	records, err := e.imageRecords(ctx, key.Namespace, fmt.Sprintf("target.digest==%q", key.ID))
	if err != nil {
		return err
	}
	all := make([]string, len(records))
	for i, record := range records {
		all[i] = record.GetName()
	}
	named := sortNames(all)
	doomed := all
	switch {
	case tag == "" && len(named.tags) > 0:
		return fmt.Errorf("%w: image %s has a new tag: %s", engine.ErrRefused, key.ID, named.tags[0])
	case tag != "" && (len(named.tags) != 1 || named.tags[0] != tag):
		doomed = []string{tag}
	}
	if len(doomed) == 0 {
		return fmt.Errorf("%w: image %s", engine.ErrNotFound, key.ID)
	}
	for _, name := range doomed {
		_, err := e.images.Delete(in(ctx, key.Namespace), &imagesapi.DeleteImageRequest{Name: name, Sync: name == doomed[len(doomed)-1]})
		e.targets.forget(key.Namespace, name)
		if err = e.translate(err); err != nil && (len(doomed) == 1 || !errors.Is(err, engine.ErrNotFound)) {
			return err
		}
	}
	return nil
}

// label writes labels on a container.
func (e *Engine) label(ctx context.Context, key engine.Key, values map[string]string) error {
	mask := &fieldmaskpb.FieldMask{}
	for name := range values {
		mask.Paths = append(mask.Paths, "labels."+name)
	}
	_, err := e.containers.Update(in(ctx, key.Namespace), &containersapi.UpdateContainerRequest{
		Container: &containersapi.Container{ID: key.ID, Labels: values}, UpdateMask: mask,
	})
	return e.translate(err)
}
