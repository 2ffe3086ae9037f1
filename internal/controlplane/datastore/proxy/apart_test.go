// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"testing"

	kine "github.com/k3s-io/kine/pkg/server"
)

// broadcast gives every watch the same slice, as kine's drivers do.
type broadcast struct {
	kine.Backend
	events []*kine.Event
}

func (b broadcast) Watch(context.Context, int64) kine.WatchResult {
	events := make(chan kine.EventBatch, 1)
	events <- kine.EventBatch{Events: b.events, CurrentRev: 1}
	close(events)
	return kine.WatchResult{Eventc: events}
}

// TestWatchesShareNothing: what one watch appends to its events is in no other's.
func TestWatchesShareNothing(t *testing.T) {
	backend := apart{broadcast{events: make([]*kine.Event, 1, 4)}}
	next := func() kine.EventBatch {
		watch := backend.Watch(t.Context(), 0)
		batch := <-watch.Eventc
		if _, more := <-watch.Eventc; more {
			t.Error("the watch has not ended")
		}
		return batch
	}
	one, other := next(), next()
	mine, theirs := &kine.Event{Create: true}, &kine.Event{Delete: true}
	one.Events = append(one.Events, mine)
	other.Events = append(other.Events, theirs)
	if one.Events[1] != mine || other.Events[1] != theirs || one.CurrentRev != 1 {
		t.Errorf("%v and %v", one.Events, other.Events)
	}
}
