// SPDX-License-Identifier: Apache-2.0

package pull

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
)

// operations are the pulls that are under way.
type operations struct {
	background.Group
	waker background.Waker
	clock clock.PassiveClock

	mu   sync.Mutex
	list map[reconcile.Request]*operation // guarded by mu
}

// operation is one pull. Its result is the image; the zero key if the image was
// removed at once.
type operation struct {
	*background.Operation[*containersv1alpha1.PullProgress, engine.Key]
	uid    types.UID
	target Target
}

// get returns the operation of a request, nil for none. It cancels the operation of
// an earlier object of the same name.
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
		op.Cancel()
		delete(o.list, request)
	}
}

// start starts a pull in the background.
func (o *operations) start(request reconcile.Request, uid types.UID, target Target, puller engine.Puller, reference string) {
	wake := func(after time.Duration) { o.waker.WakeAfter(request, after) }
	op := background.Begin(target.Connected, &o.Group, o.clock, wake, nil,
		func(ctx context.Context, report func(*containersv1alpha1.PullProgress)) (engine.Key, error) {
			image, err := puller.Pull(ctx, target.Namespace, reference, func(p containersv1alpha1.PullProgress) { report(&p) })
			if errors.Is(err, engine.ErrNotFound) { // it was removed at once
				return engine.Key{}, nil
			}
			return image, err
		})
	if op == nil {
		return // the manager stops
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.list == nil {
		o.list = map[reconcile.Request]*operation{}
	}
	o.list[request] = &operation{Operation: op, uid: uid, target: target}
}

// isMirrored reports whether the pulled image is mirrored.
func (op *operation) isMirrored(image engine.Key) bool {
	return image.ID == "" || op.target.Mirrored(image)
}
