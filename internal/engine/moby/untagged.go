// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"context"
	"fmt"
	"sync"

	"github.com/moby/moby/api/types/image"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// untagged are the images without a name that the engine showed in its last
// list. It shows none that others were built on, though it has them: what
// `docker images` leaves out, too.
type untagged struct {
	mu  sync.Mutex
	ids map[string]struct{} // guarded by mu
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

// shown fails with [engine.ErrNotFound] for an image that the engine has and
// doesn't show. Only a list tells, and only for an image without a name that was
// in none yet, which is rare, one is asked for.
func (e *Engine) shown(ctx context.Context, i *image.InspectResponse) error {
	if len(tags(i.RepoTags)) > 0 || len(references(i.RepoDigests, noDigest)) > 0 || e.untagged.has(i.ID) {
		return nil
	}
	if _, err := e.List(ctx, engine.KindImage); err != nil {
		return fmt.Errorf("look whether an image without a tag is listed: %w", err)
	}
	if !e.untagged.has(i.ID) {
		return fmt.Errorf("%w: image %s has no tag, and others are built on it", engine.ErrNotFound, i.ID)
	}
	return nil
}
