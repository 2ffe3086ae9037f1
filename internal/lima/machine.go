// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// machine is what the controller keeps in mind of a LimaVM. It belongs to the
// reconciles of that, of which there is one at a time.
type machine struct {
	uid      types.UID
	op       *operation // nil for none
	watch    *watch     // nil for none
	attempts attempts
	checked  checked
	// restarting says that the next start is one of a machine that ran, or was to.
	restarting bool
	// died says that its virtual machine has ended by itself.
	died bool
	// since is when it was first seen to run.
	since time.Time
	// ending is since when its virtual machine is gone, and its host agent not yet.
	ending time.Time
}

// checked is the template that was last checked, and what came of it.
type checked struct {
	text, has string
	err       error
}

// machines are the LimaVMs that the controller knows. It is a runnable of its
// manager, and ends what runs for them with it. What limactl has started then
// goes on.
type machines struct {
	running sync.WaitGroup

	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request] // guarded by mu
	list    map[reconcile.Request]*machine                          // guarded by mu
	cancels map[int]context.CancelFunc                              // guarded by mu; of what runs
	next    int                                                     // guarded by mu
	stopped bool                                                    // guarded by mu; nothing starts any more
}

// takeQueue is a [source.Func]: what runs for a machine wakes the reconciler
// through the queue.
func (m *machines) takeQueue(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = queue
	return nil
}

// Start implements manager.Runnable.
func (m *machines) Start(ctx context.Context) error {
	<-ctx.Done()
	m.mu.Lock()
	m.stopped = true
	for _, cancel := range m.cancels {
		cancel()
	}
	m.mu.Unlock()
	m.running.Wait()
	return nil
}

// get returns the machine of a request, which is made where there is none. One
// of another object of that name is given up.
func (m *machines) get(request reconcile.Request, uid types.UID) *machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.list[request]
	if known != nil && known.uid == uid {
		return known
	}
	made := &machine{uid: uid}
	if known != nil {
		known.giveUp()
		made.op = known.op // its end is waited for
	}
	if m.list == nil {
		m.list = map[reconcile.Request]*machine{}
	}
	m.list[request] = made
	return made
}

// forget gives the machine of a request up, if there is one.
func (m *machines) forget(request reconcile.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.list[request]; known != nil {
		known.giveUp()
		delete(m.list, request)
	}
}

func (m *machine) giveUp() {
	if m.op != nil {
		m.op.cancel()
	}
	if m.watch != nil {
		m.watch.cancel()
		m.watch = nil
	}
}

// run runs something until it returns, or until it is cancelled. It reports
// false where nothing may start any more.
func (m *machines) run(do func(context.Context)) (context.CancelFunc, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped {
		return func() {}, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	if m.cancels == nil {
		m.cancels = map[int]context.CancelFunc{}
	}
	number := m.next
	m.next++
	m.cancels[number] = cancel
	m.running.Go(func() {
		defer func() {
			cancel()
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.cancels, number)
		}()
		do(ctx)
	})
	return cancel, true
}

// waker returns what has a request reconciled after a time.
func (m *machines) waker(request reconcile.Request) func(time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	return func(after time.Duration) { queue.AddAfter(request, after) }
}

// crashLoop is how many failures in a row are one.
const crashLoop = 5

// attempts counts what has failed in a row.
type attempts struct {
	// generation, and the resource version of the template, are of what was asked
	// for: something else begins anew.
	generation int64
	template   string

	failures int
	kind     opKind // of the last failure
	err      error  // the last failure; nil for none
	until    time.Time
}

// of forgets failures of what is no longer asked for.
func (a *attempts) of(generation int64, template string) {
	if a.generation != generation || a.template != template {
		*a = attempts{generation: generation, template: template}
	}
}

// fail counts a failure.
func (a *attempts) fail(cfg Config, kind opKind, err error) {
	a.failures++
	a.kind, a.err = kind, err
	a.until = cfg.Clock.Now().Add(pause(a.failures, cfg.FirstPause, cfg.LongestPause))
}

// pause returns the wait after so many failures in a row.
func pause(failures int, first, longest time.Duration) time.Duration {
	wait := first
	for range failures - 1 {
		if wait *= 2; wait >= longest {
			return longest
		}
	}
	return min(wait, longest)
}

// looping reports whether starts fail again and again.
func (a *attempts) looping() bool { return a.failures >= crashLoop && a.kind == opBoot }
