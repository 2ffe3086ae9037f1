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

// emptiedPause is how long a kind that is suddenly empty has until it is listed
// again: an engine may not have read its own files yet.
const emptiedPause = 5 * time.Second

// list lists a kind. Only where complete is true may an object that is not in it
// be gone; some items may come with an error.
func (c *connection) list(ctx context.Context, kind engine.Kind) (items []engine.Item, complete bool, err error) {
	suspect := c.emptiedUnheard(kind)
	items, err = c.engine.List(ctx, kind)
	if err == nil && len(items) == 0 && suspect() {
		items, err = c.listAgain(ctx, kind)
	}
	if err != nil {
		return items, false, fmt.Errorf("list the %ss: %w", kind, err)
	}
	return items, true, nil
}

// listAgain lists a kind again of which all objects have gone without an event.
// That there are none is believed only if it is the same engine for sure.
func (c *connection) listAgain(ctx context.Context, kind engine.Kind) ([]engine.Item, error) {
	c.log.Warn("the engine lists nothing of a kind, and reported no removal: it is asked again", "kind", kind, "in", emptiedPause)
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

// emptiedUnheard takes notice of a prune that the engine has reported until now.
// The result reports whether a kind has mirrors of objects whose removal the
// engine has not reported.
func (c *connection) emptiedUnheard(kind engine.Kind) func() bool {
	pruned := c.removals.take(engine.Key{Kind: kind})
	return func() bool {
		return !pruned && slices.ContainsFunc(c.table.keys(kind), func(key engine.Key) bool { return !c.removals.has(key) })
	}
}

// unusable reports whether nothing else is wrong with lists but entries that can't
// be mirrored.
func unusable(err error) bool {
	var partial *engine.PartialError
	return errors.As(err, &partial)
}
