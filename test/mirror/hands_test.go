// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/compare"
)

// hands are what the suite does to an engine with, through the engine's own
// client. A container is known by the name of its object.
type hands interface {
	// Create makes a container. What Docker's configuration says counts where the
	// engine has the notion.
	Create(ctx context.Context, name string, config container.Config, host container.HostConfig) (object string, err error)
	Start(ctx context.Context, object string) error
	Pause(ctx context.Context, object string) error
	Unpause(ctx context.Context, object string) error
	Kill(ctx context.Context, object string) error
	// Remove removes a container that runs, too.
	Remove(ctx context.Context, object string) error
	// Running reports whether a container runs.
	Running(ctx context.Context, object string) (bool, error)
	// Containers returns all of them.
	Containers(ctx context.Context) ([]string, error)

	// Tag gives an image, named by a reference or its ID, a name more.
	Tag(ctx context.Context, source, target string) error
	// Untag takes a name away, and the image with the last one.
	Untag(ctx context.Context, reference string) error
	HasImage(ctx context.Context, reference string) bool

	// Diff returns how the mirrors differ from the engine, empty where they don't.
	Diff(ctx context.Context, kube ctrlclient.Reader, engineName string) (string, error)
}

// dockerHands work through Docker's API.
type dockerHands struct{ client *client.Client }

func (h dockerHands) Create(ctx context.Context, name string, config container.Config, host container.HostConfig) (string, error) {
	result, err := h.client.ContainerCreate(ctx, client.ContainerCreateOptions{Name: name, Config: &config, HostConfig: &host})
	return result.ID, err
}

func (h dockerHands) Start(ctx context.Context, object string) error {
	_, err := h.client.ContainerStart(ctx, object, client.ContainerStartOptions{})
	return err
}

func (h dockerHands) Pause(ctx context.Context, object string) error {
	_, err := h.client.ContainerPause(ctx, object, client.ContainerPauseOptions{})
	return err
}

func (h dockerHands) Unpause(ctx context.Context, object string) error {
	_, err := h.client.ContainerUnpause(ctx, object, client.ContainerUnpauseOptions{})
	return err
}

func (h dockerHands) Kill(ctx context.Context, object string) error {
	_, err := h.client.ContainerKill(ctx, object, client.ContainerKillOptions{Signal: "KILL"})
	return err
}

func (h dockerHands) Remove(ctx context.Context, object string) error {
	_, err := h.client.ContainerRemove(ctx, object, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return err
}

func (h dockerHands) Running(ctx context.Context, object string) (bool, error) {
	result, err := h.client.ContainerInspect(ctx, object, client.ContainerInspectOptions{})
	if err != nil {
		return false, err
	}
	return result.Container.State.Running, nil
}

func (h dockerHands) Containers(ctx context.Context) ([]string, error) {
	list, err := h.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids, err
}

func (h dockerHands) Tag(ctx context.Context, source, target string) error {
	_, err := h.client.ImageTag(ctx, client.ImageTagOptions{Source: source, Target: target})
	return err
}

func (h dockerHands) Untag(ctx context.Context, reference string) error {
	_, err := h.client.ImageRemove(ctx, reference, client.ImageRemoveOptions{PruneChildren: true})
	return err
}

func (h dockerHands) HasImage(ctx context.Context, reference string) bool {
	_, err := h.client.ImageInspect(ctx, reference)
	return err == nil
}

func (h dockerHands) Diff(ctx context.Context, kube ctrlclient.Reader, engineName string) (string, error) {
	return compare.Diff(ctx, h.client, kube, namespace, engineName)
}
