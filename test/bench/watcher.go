// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

const (
	// patience is how long a mirror may take before the run fails.
	patience = 5 * time.Minute
	// still is how long nothing is seen before the daemon counts as done.
	still = 2 * time.Second

	gone containersv1alpha1.Phase = "gone"
)

// watcher sees the mirrors as a client does, by watching.
type watcher struct {
	stop func()
	// resumed counts the watches that the API server ended.
	resumed atomic.Int64

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each event
	last    time.Time
	count   int
	// mirrors has those whose status is filled, by UID.
	mirrors map[string]struct{}
	// states has each container's state as seen last, and when.
	states map[string]observation
	err    error
}

type observation struct {
	state containersv1alpha1.Phase
	at    time.Time
}

func watchMirrors(ctx context.Context, d *daemon) (*watcher, error) {
	c, err := d.client(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{changed: make(chan struct{}), mirrors: map[string]struct{}{}, states: map[string]observation{}}
	var reading sync.WaitGroup
	for _, list := range []ctrlclient.ObjectList{
		&containersv1alpha1.ContainerList{}, &containersv1alpha1.ImageList{}, &containersv1alpha1.VolumeList{},
	} {
		stream, err := c.Watch(ctx, list)
		if err != nil {
			cancel()
			return nil, err
		}
		reading.Go(func() {
			if err := w.read(ctx, c, list, stream); ctx.Err() == nil {
				w.fail(err)
			}
		})
	}
	w.stop = func() {
		cancel()
		reading.Wait()
	}
	return w, nil
}

// read sees a stream's events. The API server ends the watch of a client that
// does not keep up for a moment; like any client, this one goes on where it was,
// until an error.
func (w *watcher) read(ctx context.Context, c ctrlclient.WithWatch, list ctrlclient.ObjectList, stream watch.Interface) error {
	version := ""
	for {
		for event := range stream.ResultChan() {
			object, ok := event.Object.(ctrlclient.Object)
			if !ok {
				stream.Stop()
				return fmt.Errorf("the watch says: %w", apierrors.FromObject(event.Object))
			}
			version = object.GetResourceVersion()
			w.see(event.Type, object)
		}
		stream.Stop()
		var err error
		if stream, err = c.Watch(ctx, list, &ctrlclient.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}}); err != nil {
			return err
		}
		w.resumed.Add(1)
	}
}

func (w *watcher) see(what watch.EventType, object ctrlclient.Object) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = now
	w.count++
	if c, ok := object.(*containersv1alpha1.Container); ok {
		id, state := c.Name, c.Status.Status
		if what == watch.Deleted {
			state = gone
		}
		if w.states[id].state != state {
			w.states[id] = observation{state, now}
		}
	}
	switch {
	case what == watch.Deleted:
		delete(w.mirrors, string(object.GetUID()))
	case filled(object):
		w.mirrors[string(object.GetUID())] = struct{}{}
	}
	w.wake()
}

// filled tells whether a mirror shows what it mirrors: its status comes after
// the object.
func filled(object ctrlclient.Object) bool {
	switch o := object.(type) {
	case *containersv1alpha1.Container:
		return o.Status.Status != ""
	case *containersv1alpha1.Image:
		return o.Status.ID != ""
	case *containersv1alpha1.Volume:
		return o.Status.Name != ""
	}
	return false
}

// wake wakes all that wait; the lock is held.
func (w *watcher) wake() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	w.wake()
}

func (w *watcher) events() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// await waits until a condition holds; it is called with the lock held.
func (w *watcher) await(ctx context.Context, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		w.mu.Lock()
		holds, changed, err := condition(), w.changed, w.err
		w.mu.Unlock()
		if holds || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for mirrors: %w", ctx.Err())
		}
	}
}

// wait waits until there are so many mirrors.
func (w *watcher) wait(ctx context.Context, mirrors int) error {
	err := w.await(ctx, func() bool { return len(w.mirrors) == mirrors })
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %d of %d", err, len(w.mirrors), mirrors)
	}
	return err
}

// until waits for a container's state, and returns how long after begin it was
// seen.
func (w *watcher) until(ctx context.Context, begin time.Time, id string, state containersv1alpha1.Phase) (time.Duration, error) {
	var at time.Time
	err := w.await(ctx, func() bool {
		at = w.states[id].at
		return w.states[id].state == state
	})
	return max(0, at.Sub(begin)), err
}

// quiet waits until nothing has been seen for a while.
func (w *watcher) quiet(ctx context.Context) error {
	for {
		w.mu.Lock()
		rest := still - time.Since(w.last)
		w.mu.Unlock()
		if rest <= 0 {
			return nil
		}
		if err := sleep(ctx, rest); err != nil {
			return err
		}
	}
}
