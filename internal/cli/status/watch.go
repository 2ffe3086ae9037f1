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
	// lookInterval is how often the status is read without a change event.
	lookInterval = 3 * time.Second
	// settleTime is the delay after a change, to combine it with related changes.
	settleTime = 100 * time.Millisecond
)

// Watch shows the status after each change that the daemon reports, and every few seconds,
// until ctx ends or show fails.
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

// follower watches the objects of a daemon for changes.
type follower struct {
	changed chan struct{} // holds a token after a change

	client ctrlclient.WithWatch // nil if nothing is watched
	cancel context.CancelFunc
	wg     sync.WaitGroup
	lost   atomic.Bool // a watch has ended
}

// follow starts watches with client, unless they are running.
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
		// Changes of an object that can't be watched are found at the next interval.
		if watcher, err := client.Watch(ctx, list); err == nil {
			f.wg.Go(func() {
				forward(ctx, watcher, f.changed)
				f.lost.Store(true)
			})
		}
	}
}

// forward puts a token into changed after each event, until the watch ends.
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

// stop ends the watches, and waits until they have ended.
func (f *follower) stop() {
	if f.cancel != nil {
		f.cancel()
		f.wg.Wait()
	}
	f.client, f.cancel, f.changed = nil, nil, nil
	f.lost.Store(false)
}
