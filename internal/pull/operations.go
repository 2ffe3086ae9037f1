// SPDX-License-Identifier: Apache-2.0

package pull

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// operations are the pulls that are under way. It is a runnable of its manager
// and ends them with it.
type operations struct {
	clock   clock.Clock
	running sync.WaitGroup

	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request] // guarded by mu
	list    map[reconcile.Request]*operation                        // guarded by mu
	stopped bool                                                    // guarded by mu; no operation starts any more
}

// operation is one pull.
type operation struct {
	uid    types.UID
	target Target
	clock  clock.Clock
	cancel context.CancelFunc
	// wake queues the request after a time.
	wake func(time.Duration)

	mu       sync.Mutex
	progress *containersv1alpha1.PullProgress // guarded by mu
	written  time.Time                        // guarded by mu; when the status was last written
	waking   bool                             // guarded by mu; the queue knows that there is news
	done     bool                             // guarded by mu
	image    engine.Key                       // guarded by mu; what was pulled; zero where it is gone again
	err      error                            // guarded by mu
}

// state is how far an operation is.
type state struct {
	progress *containersv1alpha1.PullProgress
	// pause is how long the next write of a progress must wait.
	pause time.Duration
	done  bool
	err   error
}

// takeQueue is a [source.Func]: operations wake the reconciler through the queue.
func (o *operations) takeQueue(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = queue
	return nil
}

// Start implements manager.Runnable.
func (o *operations) Start(ctx context.Context) error {
	<-ctx.Done()
	o.mu.Lock()
	o.stopped = true
	for _, op := range o.list {
		op.cancel()
	}
	o.mu.Unlock()
	o.running.Wait()
	return nil
}

// get returns the operation of a request, nil for none. One that another object
// of the name began is ended.
func (o *operations) get(request reconcile.Request, uid types.UID) *operation {
	o.mu.Lock()
	op := o.list[request]
	o.mu.Unlock()
	if op != nil && op.uid != uid {
		o.end(request)
		return nil
	}
	return op
}

// end cancels the operation of a request, if there is one.
func (o *operations) end(request reconcile.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if op := o.list[request]; op != nil {
		op.cancel()
		delete(o.list, request)
	}
}

// wrote notes that the status of a request was written.
func (o *operations) wrote(request reconcile.Request) {
	o.mu.Lock()
	op := o.list[request]
	o.mu.Unlock()
	if op != nil {
		op.mu.Lock()
		defer op.mu.Unlock()
		op.written = o.clock.Now()
	}
}

// start pulls, in the background.
func (o *operations) start(request reconcile.Request, uid types.UID, target Target, puller engine.Puller, reference string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return
	}
	ctx, cancel := context.WithCancel(target.Connected)
	queue := o.queue
	op := &operation{uid: uid, target: target, clock: o.clock, cancel: cancel, wake: func(after time.Duration) { queue.AddAfter(request, after) }}
	if o.list == nil {
		o.list = map[reconcile.Request]*operation{}
	}
	o.list[request] = op
	o.running.Go(func() {
		defer cancel()
		op.run(ctx, puller, reference)
	})
}

func (op *operation) run(ctx context.Context, puller engine.Puller, reference string) {
	image, err := puller.Pull(ctx, op.target.Namespace, reference, op.tell)
	if errors.Is(err, engine.ErrNotFound) { // somebody removed it at once
		image, err = engine.Key{}, nil
	}
	op.mu.Lock()
	op.done, op.err, op.image = true, err, image
	op.mu.Unlock()
	op.wake(0)
}

// tell takes a progress, and sees to it that it is written, soon but not too
// often.
func (op *operation) tell(progress containersv1alpha1.PullProgress) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.progress = &progress
	if !op.waking {
		op.waking = true
		op.wake(op.pauseLocked())
	}
}

// pauseLocked returns how long the next write of a progress must wait.
func (op *operation) pauseLocked() time.Duration {
	return max(0, writePause-op.clock.Since(op.written))
}

// state returns how far the operation is.
func (op *operation) state() state {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.waking = false
	return state{progress: op.progress, pause: op.pauseLocked(), done: op.done, err: op.err}
}

// mirrored reports whether what was pulled has its objects.
func (op *operation) mirrored() bool {
	op.mu.Lock()
	image := op.image
	op.mu.Unlock()
	return image.ID == "" || op.target.Mirrored(image)
}
