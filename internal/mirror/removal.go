// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// removers bounds the concurrent removals of an engine. A removal that takes longer
// than [problemGrace] no longer counts: it delays only itself.
const removers = 8

// removal is one try to remove the engine object of a deleted mirror.
type removal struct {
	uid    types.UID // the mirror's
	remove func() error
	final  func(error) bool    // whether there is no retry after an answer of the engine
	wake   func(time.Duration) // queues the object after that time
}

// deletion is the state of the deletion of one mirror. Times are zero for what has
// not happened.
type deletion struct {
	since    time.Time // the first try
	underWay bool      // a removal runs, or waits for a remover
	started  time.Time // the current try
	ended    bool      // err is the engine's answer, which is not handled yet
	answered time.Time // the time of err
	err      error
	agreed   int       // times in a row that the engine reported the object removed
	failed   int       // times in a row that the removal failed
	next     time.Time // the earliest retry
}

// deletions are the deletions of mirrors that still exist. The removals run outside
// of the workers because they may take minutes.
type deletions struct {
	clock   clock.WithTicker
	limiter workqueue.TypedRateLimiter[types.UID]
	wg      sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context         //nolint:containedctx // guarded by mu; ends with the session
	byUID   map[types.UID]*deletion // guarded by mu
	waiting []removal               // guarded by mu; for one of the removers
	busy    int                     // guarded by mu; removers
	refused map[mirrorName]refusal  // guarded by mu; for the mirrors that replace deleted ones
}

func newDeletions(ctx context.Context, c clock.WithTicker) *deletions {
	return &deletions{
		ctx:     ctx,
		clock:   c,
		limiter: workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](retryMin, retryMax),
		byUID:   map[types.UID]*deletion{},
		refused: map[mirrorName]refusal{},
	}
}

// of returns a copy of the deletion of a mirror.
func (d *deletions) of(uid types.UID) (deletion, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.byUID[uid]; known != nil {
		return *known, true
	}
	return deletion{}, false
}

// start runs a removal as soon as one of the removers is free.
func (d *deletions) start(r removal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byUID[r.uid]
	if known == nil {
		known = &deletion{since: d.clock.Now()}
		d.byUID[r.uid] = known
	}
	known.underWay, known.ended, known.err, known.started = true, false, nil, time.Time{}
	if d.busy == removers {
		d.waiting = append(d.waiting, r)
		return
	}
	d.busy++
	d.runLocked(r)
}

// runLocked runs a removal in the background. The caller has counted the remover.
func (d *deletions) runLocked(r removal) {
	if known := d.byUID[r.uid]; known != nil {
		known.started = d.clock.Now()
	}
	answer := make(chan error, 1)
	d.wg.Go(func() { answer <- r.remove() })
	d.wg.Go(func() {
		err, late := d.await(answer, statusGrace)
		if late {
			r.wake(0)
			err, late = d.await(answer, problemGrace-statusGrace)
		}
		d.release()
		if late {
			r.wake(0)
			err = <-answer
		}
		if pause, ok := d.end(r, err); ok {
			r.wake(pause)
		}
	})
}

// await waits for an answer, and reports whether it is late.
func (d *deletions) await(answer <-chan error, patience time.Duration) (err error, late bool) { //nolint:revive // the error is the answer
	timer := d.clock.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err, false
	case <-timer.C():
		return nil, true
	}
}

// release starts the next removal with a free remover.
func (d *deletions) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) > 0 && d.ctx.Err() == nil {
		next := d.waiting[0]
		d.waiting = d.waiting[1:]
		if d.byUID[next.uid] == nil {
			continue // the mirror is removed: another client removed the object
		}
		d.runLocked(next)
		return
	}
	d.busy--
}

// end records the engine's answer. It returns when to sync the object, and whether its
// mirror still exists.
func (d *deletions) end(r removal, err error) (pause time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.byUID[r.uid]
	if known == nil {
		return 0, false
	}
	known.underWay, known.ended, known.err, known.answered = false, true, err, d.clock.Now()
	switch {
	case r.final(err):
		return 0, true
	case err == nil, errors.Is(err, engine.ErrNotFound):
		known.agreed, known.failed = known.agreed+1, 0
	default:
		known.agreed, known.failed = 0, known.failed+1
	}
	if pause = d.limiter.When(r.uid); known.agreed == 1 {
		pause = 0 // the normal case: the object is removed
	}
	known.next = d.clock.Now().Add(pause)
	return pause, true
}

// forget forgets the deletion of a mirror that has been removed.
func (d *deletions) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byUID, uid)
	d.limiter.Forget(uid)
}

// clear makes all removals retry at once: after a reconnect the engine may have
// recovered.
func (d *deletions) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for uid, known := range d.byUID {
		known.agreed, known.next = 0, time.Time{}
		d.limiter.Forget(uid)
	}
}
