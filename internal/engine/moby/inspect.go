// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// fetch makes a call of the API's client, and decodes the answer, which must be
// one JSON object, in its place.
func fetch(ctx context.Context, what string, size int64, into any, call func(context.Context) error) error {
	return translate(call(expect(ctx, answer{what: what, size: size, consume: func(body io.Reader) error {
		return limits.Decode(body, what, into)
	}})))
}

// inspectContainer returns what the engine has of a container, which may also be
// asked for by its name, or the beginning of its ID.
func (e *Engine) inspectContainer(ctx context.Context, key engine.Key) (*container.InspectResponse, error) {
	var c container.InspectResponse
	err := fetch(ctx, "the engine's answer to an inspection of a container", limits.Object, &c, func(ctx context.Context) error {
		_, err := e.api().ContainerInspect(ctx, key.ID, client.ContainerInspectOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := engine.CheckKey(engine.Key{Kind: engine.KindContainer, ID: c.ID}); err != nil {
		return nil, fmt.Errorf("the engine's answer to an inspection of container %s is invalid: %w", key.ID, err)
	}
	if !strings.HasPrefix(c.ID, key.ID) && strings.TrimPrefix(c.Name, "/") != key.ID {
		return nil, fmt.Errorf("the engine answers a request for the container %s with %s", key.ID, c.ID)
	}
	return &c, nil
}

func (e *Engine) inspectVolume(ctx context.Context, key engine.Key) (*volume.Volume, error) {
	var v volume.Volume
	err := fetch(ctx, "the engine's answer to an inspection of a volume", limits.Object, &v, func(ctx context.Context) error {
		_, err := e.api().VolumeInspect(ctx, key.ID, client.VolumeInspectOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := engine.CheckKey(engine.Key{Kind: engine.KindVolume, ID: v.Name}); err != nil {
		return nil, fmt.Errorf("the engine's answer to an inspection of volume %s is invalid: %w", key.ID, err)
	}
	if v.Name != key.ID {
		return nil, fmt.Errorf("the engine answers a request for the volume %s with %s", key.ID, v.Name)
	}
	return &v, nil
}

// checkImage makes sure that an answer is of the image that was asked for. By a
// reference it may be any.
func checkImage(asked, id string) error {
	if err := engine.CheckKey(engine.Key{Kind: engine.KindImage, ID: id}); err != nil {
		return fmt.Errorf("the engine's answer to an inspection of image %s is invalid: %w", asked, err)
	}
	if strings.HasPrefix(asked, "sha256:") && !strings.HasPrefix(id, asked) {
		return fmt.Errorf("the engine answers a request for the image %s with %s", asked, id)
	}
	return nil
}
