// SPDX-License-Identifier: Apache-2.0

// Package background is for the work of controllers outside of Reconcile: long
// operations, their progress, and wake-ups of the controller.
package background

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Waker enqueues requests of one controller. The zero value is ready to use; requests
// from before the controller's start are enqueued at the start.
type Waker struct {
	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request] // guarded by mu; nil before the controller starts
	pending map[reconcile.Request]struct{}                          // guarded by mu
}

// Source is the source of the controller's requests, for WatchesRawSource.
func (w *Waker) Source() source.Source { return source.Func(w.start) }

func (w *Waker) start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for request := range w.pending {
		queue.Add(request)
	}
	w.pending = nil
	return nil
}

// Wake enqueues a request.
func (w *Waker) Wake(request reconcile.Request) { w.WakeAfter(request, 0) }

// WakeAfter enqueues a request after a delay.
func (w *Waker) WakeAfter(request reconcile.Request, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil {
		if w.pending == nil {
			w.pending = map[reconcile.Request]struct{}{}
		}
		w.pending[request] = struct{}{}
		return
	}
	w.queue.AddAfter(request, after)
}
