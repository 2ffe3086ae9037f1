// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// emptiedPause is the wait before a kind that is suddenly empty is listed again: an
// engine that starts may not have loaded its objects yet.
const emptiedPause = 5 * time.Second

// list lists a kind. Only if complete is true, an object that is not in the list is
// gone. There may be items and an error.
func (c *connection) list(ctx context.Context, kind engine.Kind) (items []engine.Item, complete bool, err error) {
	isSuspect := c.emptiedSilently(kind)
	items, err = c.engine.List(ctx, kind)
	if err == nil && len(items) == 0 && isSuspect() {
		items, err = c.listAgain(ctx, kind)
	}
	if err != nil {
		return items, false, fmt.Errorf("list the %ss: %w", kind, err)
	}
	return items, true, nil
}

// listAgain lists a kind again whose objects are all missing without an event. It
// accepts the empty list only if the engine proves that it is the same one.
func (c *connection) listAgain(ctx context.Context, kind engine.Kind) ([]engine.Item, error) {
	c.log.Warn("the engine lists no objects of a kind but reported no removal: will list again", "kind", kind, "in", emptiedPause)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.clock.After(emptiedPause):
	}
	items, err := c.engine.List(ctx, kind)
	if err != nil || len(items) > 0 {
		return items, err
	}
	return nil, c.prove(ctx, kind)
}

// emptiedSilently clears a prune that the engine has reported. The result reports
// whether a kind has mirrors of objects whose removal the engine has not reported,
// and there was no prune.
func (c *connection) emptiedSilently(kind engine.Kind) func() bool {
	pruned := c.removals.take(engine.Key{Kind: kind})
	return func() bool {
		return !pruned && slices.ContainsFunc(c.table.keys(kind), func(key engine.Key) bool { return !c.removals.has(key) })
	}
}

// unusable reports whether a list failed only because of entries that can't be
// mirrored.
func unusable(err error) bool {
	var partial *engine.PartialError
	return errors.As(err, &partial)
}
