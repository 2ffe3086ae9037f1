// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// lookInterval is how often all is read again that nothing tells of.
	lookInterval = 3 * time.Second
	// settleTime is the wait after a change for those that come with it.
	settleTime = 100 * time.Millisecond
)

// Watch reads how the instance is again and again, when the daemon tells of a
// change and every few seconds, until ctx ends or show fails.
func (r *Reader) Watch(ctx context.Context, show func(*Status) error) error {
	var f follower
	defer f.stop()
	ticker := r.Clock.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		status, err := r.Read(ctx)
		if err != nil {
			return err
		}
		if err := show(status); err != nil {
			return err
		}
		f.follow(ctx, r.client, status.Service.Ready)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C():
		case <-f.changed:
			select {
			case <-ctx.Done():
			case <-r.Clock.After(settleTime):
			}
		}
	}
}

// follower is told by a daemon of changes.
type follower struct {
	changed chan struct{} // holds a token while there was a change

	client ctrlclient.WithWatch // nil while nothing is followed
	cancel context.CancelFunc
	wg     sync.WaitGroup
	lost   atomic.Bool // a watch has ended
}

// follow follows the daemon of the client, where it does not yet or where a watch
// has ended.
func (f *follower) follow(ctx context.Context, client ctrlclient.WithWatch, ready bool) {
	if !ready {
		f.stop()
		return
	}
	if client == nil || client == f.client && !f.lost.Load() {
		return
	}
	f.stop()
	ctx, f.cancel = context.WithCancel(ctx)
	f.client, f.changed = client, make(chan struct{}, 1)
	for _, list := range []ctrlclient.ObjectList{&appv1alpha1.AppList{}, &containersv1alpha1.ContainerEngineList{}} {
		// What can't be watched is seen at the next look.
		if watcher, err := client.Watch(ctx, list); err == nil {
			f.wg.Go(func() {
				forward(ctx, watcher, f.changed)
				f.lost.Store(true)
			})
		}
	}
}

// forward puts a token into changed at each event, until the watch ends.
func forward(ctx context.Context, watcher watch.Interface, changed chan<- struct{}) {
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-watcher.ResultChan():
			if !open {
				return
			}
		}
		select {
		case changed <- struct{}{}:
		default: // there is one already
		}
	}
}

// stop ends what is followed, and waits until it has ended.
func (f *follower) stop() {
	if f.cancel != nil {
		f.cancel()
		f.wg.Wait()
	}
	f.client, f.cancel, f.changed = nil, nil, nil
	f.lost.Store(false)
}
