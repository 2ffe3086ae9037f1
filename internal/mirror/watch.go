// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mirrorWatch delivers changes of mirrors to their syncers, from the caches that all
// sessions of a manager share.
type mirrorWatch struct{ informers cache.Informers }

// start fills the syncer's table and keeps it up to date until stop is called.
// It returns when the table holds every mirror.
func (w mirrorWatch) start(ctx context.Context, s *syncer) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, stop := range stops {
			stop()
		}
	}
	var synced []toolscache.DoneChecker
	for kind, types := range kinds {
		informer, err := w.informers.GetInformer(ctx, types.object())
		if err != nil {
			stop()
			return nil, fmt.Errorf("watch the %ss: %w", kind, err)
		}
		registration, err := informer.AddEventHandler(s.handler())
		if err != nil {
			stop()
			return nil, fmt.Errorf("watch the %ss: %w", kind, err)
		}
		stops = append(stops, func() { _ = informer.RemoveEventHandler(registration) })
		synced = append(synced, registration.HasSyncedChecker())
	}
	if !toolscache.WaitFor(ctx, "", synced...) {
		stop()
		return nil, fmt.Errorf("fill the caches: %w", context.Cause(ctx))
	}
	return stop, nil
}

// handler records the versions from the watch in the table, and queues objects whose
// mirrors another client wrote.
func (s *syncer) handler() toolscache.ResourceEventHandler {
	changed := func(obj any) {
		m, ok := obj.(client.Object)
		if !ok || !s.owner.owns(m) {
			return
		}
		s.table.watched(m)
		if s.table.foreign(nameOf(m)) && !s.isBusy(keyOf(m)) {
			s.queue.Add(keyOf(m))
		}
	}
	return toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			if m, ok := obj.(client.Object); ok && initial && s.owner.owns(m) {
				// The first comparison checks all mirrors that existed before.
				s.table.wrote(m)
				return
			}
			changed(obj)
		},
		UpdateFunc: func(old, obj any) {
			if m, ok := obj.(client.Object); ok && !s.owner.owns(m) {
				s.lost(old)
				return
			}
			s.retargeted(old, obj)
			changed(obj)
		},
		DeleteFunc: s.lost,
	}
}

// retargeted queues the previous object of a mirror whose annotations a client changed
// to another object: the previous one has no mirror now.
func (s *syncer) retargeted(old, obj any) {
	before, _ := old.(client.Object)
	after, _ := obj.(client.Object)
	if before != nil && after != nil && s.owner.owns(before) && keyOf(before) != keyOf(after) {
		s.queue.Add(keyOf(before))
	}
}

// lost handles a mirror that was removed, or that has another owner now.
func (s *syncer) lost(obj any) {
	if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	m, ok := obj.(client.Object)
	if !ok || !s.owner.owns(m) {
		return
	}
	s.actor.forgetDeletion(m)
	if s.table.watchedRemoval(m) {
		s.queue.Add(keyOf(m))
	}
}
