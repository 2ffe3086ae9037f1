// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"runtime"
	"sync"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// slowWrite is how long a write may take before the load is too high: the API
	// server needs the processors for other clients, too.
	slowWrite = 100 * time.Millisecond

	// stuckWrite is how long a write may take before another one takes its turn: what
	// blocks it, such as an admission webhook, must not block others.
	stuckWrite = time.Second

	// writesPerProcessor bounds the concurrent writes.
	writesPerProcessor = 4
)

// load bounds the concurrent writes of all sessions of a manager, so that the API
// server, which may share this machine, still answers other clients. As for a TCP
// window, a slow write halves the bound, and each round of fast writes raises it by
// one.
type load struct {
	clock clock.WithDelayedExecution
	most  float64

	mu      sync.Mutex
	bound   float64         // guarded by mu; of running
	running int             // guarded by mu
	stuck   int             // guarded by mu; with running at most as many as most
	waiting []chan struct{} // guarded by mu; in the order of their turn
	lowered time.Time       // guarded by mu
}

func newLoad(c clock.WithDelayedExecution) *load {
	most := float64(writesPerProcessor * runtime.GOMAXPROCS(0))
	return &load{clock: c, most: most, bound: most}
}

// acquire waits for the turn to write. release ends it.
func (l *load) acquire(ctx context.Context) error {
	l.mu.Lock()
	if len(l.waiting) == 0 && l.freeLocked() {
		l.running++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	l.running-- // it got its turn at the same time
	l.startLocked()
	return ctx.Err()
}

// pending is a write that is under way.
type pending struct {
	began time.Time
	stuck bool // guarded by load.mu
}

// release ends a write.
func (l *load) release(t *pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	switch took := now.Sub(t.began); {
	case took < slowWrite:
		l.bound = min(l.most, l.bound+1/l.bound)
	case !t.began.Before(l.lowered): // otherwise another write has lowered the bound during this one
		l.bound, l.lowered = max(1, l.bound/2), now
	}
	if t.stuck {
		l.stuck--
	} else {
		l.running--
	}
	l.startLocked()
}

// passOver gives the turn of a write that is stuck to another one.
func (l *load) passOver(t *pending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.stuck = true
	l.running--
	l.stuck++
	l.startLocked()
}

func (l *load) freeLocked() bool {
	return l.running < int(l.bound) && l.running+l.stuck < int(l.most)
}

func (l *load) startLocked() {
	for len(l.waiting) > 0 && l.freeLocked() {
		l.running++
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// write does one write in its turn.
func (l *load) write(ctx context.Context, do func() error) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	t := &pending{began: l.clock.Now()}
	over := make(chan struct{})
	timer := l.clock.AfterFunc(stuckWrite, func() {
		defer close(over)
		l.passOver(t)
	})
	defer func() {
		if !timer.Stop() {
			<-over
		}
		l.release(t)
	}()
	return do()
}

// boundedClient is a client whose writes wait for their turn.
type boundedClient struct {
	client.Client
	load *load
}

// Create implements [client.Client].
func (c boundedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.load.write(ctx, func() error { return c.Client.Create(ctx, obj, opts...) })
}

// Delete implements [client.Client].
func (c boundedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return c.load.write(ctx, func() error { return c.Client.Delete(ctx, obj, opts...) })
}

// Update implements [client.Client].
func (c boundedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return c.load.write(ctx, func() error { return c.Client.Update(ctx, obj, opts...) })
}

// Patch implements [client.Client].
func (c boundedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.load.write(ctx, func() error { return c.Client.Patch(ctx, obj, patch, opts...) })
}

// Status implements [client.Client].
func (c boundedClient) Status() client.SubResourceWriter {
	return boundedStatus{c.Client.Status(), c.load}
}

type boundedStatus struct {
	client.SubResourceWriter
	load *load
}

// Update implements [client.SubResourceWriter].
func (s boundedStatus) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.load.write(ctx, func() error { return s.SubResourceWriter.Update(ctx, obj, opts...) })
}

// Patch implements [client.SubResourceWriter].
func (s boundedStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.load.write(ctx, func() error { return s.SubResourceWriter.Patch(ctx, obj, patch, opts...) })
}
