// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/limits"
)

// untagged are the images without a name that the engine showed when it was last
// asked for a list. It shows none that others were built on, though it has them:
// what `docker images` leaves out, too.
type untagged struct {
	mu      sync.Mutex
	ids     map[string]struct{} // guarded by mu
	parents map[string]string   // guarded by mu; on what images were built, tagged ones too
}

// note takes the items of a list of images.
func (u *untagged) note(items []engine.Item) {
	ids := map[string]struct{}{}
	for _, item := range items {
		if len(item.Tags) == 0 {
			ids[item.Key.ID] = struct{}{}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids = ids
}

func (u *untagged) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.ids[id]
	return ok
}

// built notes on which image another was built, and returns that where the engine
// showed it: most likely it does not any longer.
func (u *untagged) built(id, parent string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if parent == "" {
		return ""
	}
	if u.parents == nil {
		u.parents = map[string]string{}
	}
	u.parents[id] = parent
	if _, ok := u.ids[parent]; !ok {
		return ""
	}
	delete(u.ids, parent)
	return parent
}

// gone returns the image on which one was built that is gone: the engine may
// show it again.
func (u *untagged) gone(id string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	parent := u.parents[id]
	delete(u.parents, id)
	return parent
}

// inspectedImage is the answer to an inspection of an image. The API's client
// leaves out on which image it was built.
type inspectedImage struct {
	image.InspectResponse
	Parent string
}

// imageKey returns the key of an image, the zero key for none.
func imageKey(id string) engine.Key {
	key := engine.Key{Kind: engine.KindImage, ID: id}
	if engine.CheckKey(key) != nil {
		return engine.Key{}
	}
	return key
}

func (e *Engine) inspectImage(ctx context.Context, key engine.Key) (engine.Object, error) {
	object := engine.Object{Key: key}
	options, err := e.imageOptions(ctx)
	if err != nil {
		return object, err
	}
	var result inspectedImage
	err = fetch(ctx, "the engine's answer to an inspection of an image", limits.Object, &result, func(ctx context.Context) error {
		_, err := e.api().ImageInspect(ctx, key.ID, options...)
		return err
	})
	if errors.Is(err, engine.ErrNotFound) {
		object.Affects = imageKey(e.untagged.gone(key.ID))
	}
	if err == nil {
		err = checkImage(key.ID, result.ID)
	}
	if err != nil {
		return object, err
	}
	object.Affects = imageKey(e.untagged.built(result.ID, result.Parent))
	if err := e.shown(ctx, &result.InspectResponse); err != nil {
		return object, err
	}
	object.Key.ID = result.ID
	object.Images = imageStatuses(&result.InspectResponse)
	return object, nil
}

// shown fails with [engine.ErrNotFound] for an image that the engine has and
// doesn't show. Only a list tells, and only for an image without a name that was
// in none yet, which is rare, one is asked for.
func (e *Engine) shown(ctx context.Context, i *image.InspectResponse) error {
	if len(tags(i.RepoTags)) > 0 || len(references(i.RepoDigests, noDigest)) > 0 || e.untagged.has(i.ID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// As few as can be, however many images the engine has.
	if _, err := e.images(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("dangling", "true")}); err != nil {
		return fmt.Errorf("look whether an image without a tag is listed: %w", err)
	}
	if !e.untagged.has(i.ID) {
		return fmt.Errorf("%w: image %s has no tag, and others are built on it", engine.ErrNotFound, i.ID)
	}
	return nil
}
