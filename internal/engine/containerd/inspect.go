// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// Inspect implements [engine.Engine]. If the key has no namespace, it searches all
// namespaces for a container.
func (e *Engine) Inspect(ctx context.Context, key engine.Key) (engine.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object := engine.Object{Key: key}
	var err error
	switch key.Kind {
	case engine.KindNamespace:
		object.Namespace, err = e.inspectNamespace(ctx, key.ID)
	case engine.KindContainer:
		if key.Namespace == "" {
			return e.findContainer(ctx, key)
		}
		object.Container, err = e.inspectContainer(ctx, key)
	case engine.KindImage:
		return e.inspectImage(ctx, key)
	case engine.KindVolume, engine.KindNetwork:
		err = fmt.Errorf("%w: containerd has no %ss", engine.ErrNotFound, key.Kind)
	default:
		err = fmt.Errorf("unknown kind %q", key.Kind)
	}
	return object, err
}

// inspectNamespace searches the list of namespaces: containerd answers a request for a
// missing namespace with one without labels.
func (e *Engine) inspectNamespace(ctx context.Context, name string) (*containersv1alpha1.ContainerNamespaceStatus, error) {
	all, err := e.listNamespaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, namespace := range all {
		if namespace.GetName() == name {
			return &containersv1alpha1.ContainerNamespaceStatus{Name: name, Labels: copyMap(namespace.GetLabels())}, nil
		}
	}
	return nil, fmt.Errorf("%w: namespace %q", engine.ErrNotFound, name)
}

// findContainer finds a container by its ID in all namespaces.
func (e *Engine) findContainer(ctx context.Context, key engine.Key) (engine.Object, error) {
	namespaces, err := e.listNamespaces(ctx)
	if err != nil {
		return engine.Object{Key: key}, err
	}
	var found []engine.Object
	for _, namespace := range namespaces {
		candidate := engine.Object{Key: engine.Key{Kind: key.Kind, Namespace: namespace.GetName(), ID: key.ID}}
		candidate.Container, err = e.inspectContainer(ctx, candidate.Key)
		if errors.Is(err, engine.ErrNotFound) {
			continue
		}
		if err != nil {
			return engine.Object{Key: key}, err
		}
		found = append(found, candidate)
	}
	switch len(found) {
	case 0:
		return engine.Object{Key: key}, fmt.Errorf("%w: container %q, in any namespace", engine.ErrNotFound, key.ID)
	case 1:
		return found[0], nil
	}
	return engine.Object{Key: key}, fmt.Errorf("%w: %d namespaces have a container %q", engine.ErrRefused, len(found), key.ID)
}

func (e *Engine) inspectContainer(ctx context.Context, key engine.Key) (*containersv1alpha1.ContainerStatus, error) {
	c, ok := e.records.get(key.Namespace, key.ID)
	if !ok {
		mark := e.records.mark()
		fresh, err := e.container(ctx, key)
		if err != nil {
			return nil, err
		}
		c = recordOf(fresh)
		e.records.put(mark, key.Namespace, key.ID, c)
	}
	process, err := e.task(ctx, key)
	if err != nil {
		return nil, err
	}
	image, err := e.target(ctx, key.Namespace, c.GetImage())
	if err != nil {
		return nil, err
	}
	return e.statusOf(ctx, key.Namespace, c, process, image)
}

// target returns the digest of an image's name; empty for none.
func (e *Engine) target(ctx context.Context, namespace, name string) (string, error) {
	digest, ok := e.targets.get(namespace, name)
	if ok || name == "" {
		return digest, nil
	}
	mark := e.targets.mark()
	response, err := e.images.Get(in(ctx, namespace), &imagesapi.GetImageRequest{Name: name})
	if err = e.translate(err); errors.Is(err, engine.ErrNotFound) || errors.Is(err, engine.ErrRefused) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if digest = response.GetImage().GetTarget().GetDigest(); digest == "" {
		return "", fmt.Errorf("containerd does not report the target of image %q", name)
	}
	e.targets.put(mark, namespace, name, digest)
	return digest, nil
}

// statusOf is containerStatus with the state from the CRI plugin.
func (e *Engine) statusOf(
	ctx context.Context, namespace string, c record, process *task.Process, image string,
) (*containersv1alpha1.ContainerStatus, error) {
	status := containerStatus(namespace, c, process, image)
	if process == nil && ofCRI(c.Container) {
		return status, e.setFate(ctx, c.Container, status)
	}
	return status, nil
}

func (e *Engine) container(ctx context.Context, key engine.Key) (*containersapi.Container, error) {
	response, err := e.containers.Get(in(ctx, key.Namespace), &containersapi.GetContainerRequest{ID: key.ID})
	if err != nil {
		return nil, e.translate(err)
	}
	if has := response.GetContainer().GetID(); has != key.ID {
		return nil, fmt.Errorf("containerd answers a request for the container %q with %q", key.ID, has)
	}
	return response.GetContainer(), nil
}

// task returns a container's task; nil if it has none.
func (e *Engine) task(ctx context.Context, key engine.Key) (*task.Process, error) {
	response, err := e.tasks.Get(in(ctx, key.Namespace), &tasksapi.GetRequest{ContainerID: key.ID})
	switch err = e.translate(err); {
	case errors.Is(err, engine.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case response.GetProcess() == nil: // which would be a container that never ran
		return nil, fmt.Errorf("containerd does not report the task of container %s", key.ID)
	}
	return response.GetProcess(), nil
}
