// SPDX-License-Identifier: Apache-2.0

package background

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// progressPause is the shortest time between two changes of the progress that
// [Operation.State] returns: each change is a write to the API server.
const progressPause = 500 * time.Millisecond

// Group runs functions until they return or its manager stops. It is a runnable of the
// manager. The zero value is ready to use.
type Group struct {
	running sync.WaitGroup

	mu      sync.Mutex
	cancels map[int]context.CancelFunc // guarded by mu; of the running functions
	next    int                        // guarded by mu
	stopped bool                       // guarded by mu; no function starts any longer
}

// Start implements manager.Runnable.
func (g *Group) Start(ctx context.Context) error {
	<-ctx.Done()
	g.mu.Lock()
	g.stopped = true
	for _, cancel := range g.cancels {
		cancel()
	}
	g.mu.Unlock()
	g.running.Wait()
	return nil
}

// Go runs do until it returns. Its context ends with parent, with the manager, or when
// cancel is called. It reports false if the manager has stopped.
func (g *Group) Go(parent context.Context, do func(context.Context)) (cancel context.CancelFunc, started bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return func() {}, false
	}
	ctx, cancel := context.WithCancel(parent)
	if g.cancels == nil {
		g.cancels = map[int]context.CancelFunc{}
	}
	number := g.next
	g.next++
	g.cancels[number] = cancel
	g.running.Go(func() {
		defer func() {
			cancel()
			g.mu.Lock()
			defer g.mu.Unlock()
			delete(g.cancels, number)
		}()
		do(ctx)
	})
	return cancel, true
}

// Operation is background work with a progress of type P and a result of type R.
type Operation[P, R any] struct {
	// Cancel cancels the context of the work.
	Cancel context.CancelFunc

	clock clock.PassiveClock
	wake  func(time.Duration)

	mu    sync.Mutex
	last  P           // guarded by mu; the work's last report
	newer bool        // guarded by mu; last is newer than what State returned
	state State[P, R] // guarded by mu
	shown time.Time   // guarded by mu; when state.Progress was changed
}

// State is the state of an [Operation].
type State[P, R any] struct {
	// Progress changes at most twice a second until the operation is done.
	Progress P
	Done     bool
	Result   R // valid if Done
	Err      error
}

// Begin starts an operation in a group. It calls wake, with a delay, when the state
// changes. do reports its progress with its second argument. Begin returns nil if the
// manager has stopped.
func Begin[P, R any](parent context.Context, g *Group, c clock.PassiveClock, wake func(time.Duration), first P,
	do func(ctx context.Context, progress func(P)) (R, error)) *Operation[P, R] {
	op := &Operation[P, R]{clock: c, wake: wake, state: State[P, R]{Progress: first}, shown: c.Now()} // the first progress counts as shown
	cancel, started := g.Go(parent, func(ctx context.Context) {
		result, err := do(ctx, op.report)
		op.finish(result, err)
	})
	if !started {
		return nil
	}
	op.Cancel = cancel
	return op
}

func (op *Operation[P, R]) report(progress P) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.last = progress
	if !op.newer {
		op.newer = true
		op.wake(op.restLocked())
	}
}

func (op *Operation[P, R]) finish(result R, err error) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.state.Done, op.state.Result, op.state.Err = true, result, err
	op.wake(0)
}

// restLocked returns how long the progress must stay unchanged.
func (op *Operation[P, R]) restLocked() time.Duration {
	return max(0, progressPause-op.clock.Since(op.shown))
}

// State returns the state.
func (op *Operation[P, R]) State() State[P, R] {
	op.mu.Lock()
	defer op.mu.Unlock()
	if !op.newer {
		return op.state
	}
	if rest := op.restLocked(); rest > 0 && !op.state.Done {
		op.wake(rest)
		return op.state
	}
	op.state.Progress, op.newer, op.shown = op.last, false, op.clock.Now()
	return op.state
}
