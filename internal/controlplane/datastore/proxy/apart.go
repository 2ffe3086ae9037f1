// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"slices"

	kine "github.com/k3s-io/kine/pkg/server"
)

// apart is a backend whose watches share no memory. kine passes one slice of events to
// all of them, and each appends to it: if the slice has spare capacity, they overwrite
// each other's events. SQLite's slices are full, because its revisions have no gaps;
// other drivers' are not.
type apart struct{ kine.Backend }

// Watch implements [kine.Backend].
func (a apart) Watch(ctx context.Context, revision int64) kine.WatchResult {
	result := a.Backend.Watch(ctx, revision)
	shared, events := result.Eventc, make(chan kine.EventBatch, cap(result.Eventc))
	result.Eventc = events
	go func() {
		defer close(events)
		for batch := range shared {
			batch.Events = slices.Clip(batch.Events)
			select {
			case events <- batch:
			case <-ctx.Done():
				return
			}
		}
	}()
	return result
}
