// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

const (
	// A list may take listLimit, or twice what the longest one took so far, but
	// never longer than maxListLimit.
	listLimit    = 30 * time.Second
	maxListLimit = 5 * time.Minute
)

// lists requests the lists of all kinds concurrently: a kind that is slow, or that fails
// and is retried, does not delay the others. A list is used whenever it arrives: it
// only selects the objects to inspect.
type lists struct {
	clock    clock.WithDelayedExecution
	problems *problems
	list     listFunc
	// use handles a list, as a part of a comparison.
	use func(kind engine.Kind, items []engine.Item, complete bool, b *batch)

	wg sync.WaitGroup

	mu      sync.Mutex
	broken  chan<- error                  // guarded by mu; receives the error that ends the connection
	alive   context.Context               // guarded by mu; of the connection; nil for none
	current map[engine.Kind]*listing      // guarded by mu; under way
	next    map[engine.Kind]*listing      // guarded by mu; starts when the current one has finished
	longest map[engine.Kind]time.Duration // guarded by mu
}

// listing is one requested list, with its retries.
type listing struct {
	kind    engine.Kind
	batches []*batch // guarded by lists.mu; that it is a part of
	// settled is closed when the list is used, or its failure is reported.
	settled chan struct{}
	once    sync.Once

	mu   sync.Mutex
	used bool  // guarded by mu; all of it
	last error // guarded by mu; of the last try
}

// listFunc lists a kind. Only if complete is true, an object that is not in the list
// is gone; with an [engine.PartialError] the list can be used.
type listFunc func(context.Context, engine.Kind) (items []engine.Item, complete bool, err error)

func newLists(c clock.WithDelayedExecution, p *problems, list listFunc, use func(engine.Kind, []engine.Item, bool, *batch)) *lists {
	return &lists{clock: c, problems: p, list: list, use: use,
		current: map[engine.Kind]*listing{}, next: map[engine.Kind]*listing{}, longest: map[engine.Kind]time.Duration{}}
}

// connect begins a connection, which ends with ctx. broken, with a buffer of one,
// receives the error of a list that shows that another engine answers.
func (l *lists) connect(ctx context.Context, broken chan<- error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive, l.broken = ctx, broken
}

// disconnect waits for the lists under way; the context of connect must have ended.
func (l *lists) disconnect() {
	l.mu.Lock()
	l.alive = nil
	clear(l.next)
	l.mu.Unlock()
	l.wg.Wait()
}

// compare lists every kind, as a part of a comparison. The channel receives whether
// all were listed, once each is listed or its failure is reported.
func (l *lists) compare(b *batch) <-chan bool {
	result := make(chan bool, 1)
	var all []*listing
	for _, kind := range engine.Kinds {
		if wanted := l.want(kind, b, true); wanted != nil {
			all = append(all, wanted)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive == nil {
		return result // its reader has ended with the connection
	}
	alive := l.alive
	l.wg.Go(func() {
		complete := len(all) == len(engine.Kinds)
		for _, wanted := range all {
			select {
			case <-wanted.settled:
			case <-alive.Done():
				return
			}
			complete = complete && wanted.complete()
		}
		b.seal()
		result <- complete
	})
	return result
}

// request lists one kind after a delay, and again if a list is under way.
func (l *lists) request(kind engine.Kind, after time.Duration) {
	if after <= 0 {
		l.want(kind, newBatch(), false)
		return
	}
	l.clock.AfterFunc(after, func() { l.want(kind, newBatch(), false) })
}

// want returns the listing of a kind: a new one, or, if join is true, one under way
// that failed or takes long. It is nil without a connection.
func (l *lists) want(kind engine.Kind, b *batch, join bool) *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive == nil {
		return nil
	}
	current := l.current[kind]
	if current != nil && join && current.isSettled() && !current.complete() {
		return current // it failed or takes long, and that is reported
	}
	if next := l.next[kind]; current != nil && next != nil {
		next.batches = append(next.batches, b)
		return next
	}
	wanted := &listing{kind: kind, batches: []*batch{b}, settled: make(chan struct{})}
	if current != nil {
		l.next[kind] = wanted
		return wanted
	}
	l.startLocked(wanted)
	return wanted
}

func (l *lists) startLocked(wanted *listing) {
	l.current[wanted.kind] = wanted
	ctx := l.alive
	l.wg.Go(func() {
		l.run(ctx, wanted)
		wanted.settle()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.current, wanted.kind)
		if next := l.next[wanted.kind]; next != nil && l.alive != nil {
			delete(l.next, wanted.kind)
			l.startLocked(next)
		}
	})
}

// run lists a kind until that succeeds or ctx ends.
func (l *lists) run(ctx context.Context, wanted *listing) {
	key := engine.Key{Kind: wanted.kind}
	grace := l.clock.AfterFunc(problemGrace, func() {
		wanted.whileFailed(func(err error) {
			if ctx.Err() == nil {
				l.problems.add(key, containersv1alpha1.ReasonListFailed, err)
				wanted.settle()
			}
		})
	})
	defer func() {
		grace.Stop()
		wanted.fail(nil) // waits for the grace function if that runs
	}()
	backoff := reconnect
	for {
		items, complete, err := l.once(ctx, wanted)
		if ctx.Err() != nil {
			return
		}
		l.problems.clear(key, containersv1alpha1.ReasonListSlow)
		switch {
		case anotherEngine(err):
			l.end(err)
			<-ctx.Done()
			return
		case err == nil:
			wanted.fail(nil) // the grace function does not report it again
			l.problems.clear(key, containersv1alpha1.ReasonListFailed)
		case unusable(err): // a retry before the next comparison would not help
			l.problems.add(key, containersv1alpha1.ReasonListFailed, err)
		}
		if err == nil || unusable(err) {
			for _, b := range l.batches(wanted) {
				l.use(wanted.kind, items, complete, b)
			}
			wanted.succeed(err == nil)
			return
		}
		wanted.fail(err)
		l.problems.suspect(key, containersv1alpha1.ReasonListFailed, err)
		if l.problems.has(key, containersv1alpha1.ReasonListFailed) || wanted.isSettled() {
			// A list that was reported as slow and failed stays reported.
			l.problems.add(key, containersv1alpha1.ReasonListFailed, err)
			wanted.settle()
		}
		select {
		case <-ctx.Done():
			return
		case <-l.clock.After(backoff.Step()):
		}
	}
}

// once lists a kind, and reports it if that takes long.
func (l *lists) once(ctx context.Context, wanted *listing) ([]engine.Item, bool, error) {
	key, limit := engine.Key{Kind: wanted.kind}, l.limit(wanted.kind)
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answered := false // guarded by l.mu
	slow := l.clock.AfterFunc(problemGrace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if answered || limited.Err() != nil {
			return
		}
		if !l.problems.has(key, containersv1alpha1.ReasonListFailed) {
			l.problems.add(key, containersv1alpha1.ReasonListSlow,
				fmt.Errorf("the engine has not returned the list within %s (limit %s)", problemGrace, limit))
		}
		wanted.settle()
	})
	defer slow.Stop()
	began := l.clock.Now()
	items, complete, err := l.list(limited, wanted.kind)
	took := l.clock.Since(began)
	l.mu.Lock()
	answered = true
	l.mu.Unlock()
	l.took(wanted.kind, took)
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("the engine has not answered within %s", limit)
	}
	return items, complete, err
}

// end ends the connection with an error.
func (l *lists) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.broken <- err:
	default: // it ends already
	}
}

func (l *lists) batches(wanted *listing) []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wanted.batches
}

func (l *lists) limit(kind engine.Kind) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(max(listLimit, 2*l.longest[kind]), maxListLimit)
}

func (l *lists) took(kind engine.Kind, time time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest[kind] = max(l.longest[kind], time)
}

func (w *listing) settle() { w.once.Do(func() { close(w.settled) }) }

func (w *listing) isSettled() bool {
	select {
	case <-w.settled:
		return true
	default:
		return false
	}
}

func (w *listing) succeed(complete bool) {
	w.mu.Lock()
	w.used, w.last = complete, nil
	w.mu.Unlock()
	w.settle()
}

func (w *listing) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
}

// whileFailed calls f if the last try failed. The result of the next try is recorded
// after that.
func (w *listing) whileFailed(f func(error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil {
		f(w.last)
	}
}

// complete reports whether the list is used.
func (w *listing) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.used
}
