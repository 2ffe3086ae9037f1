// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"sync"
	"time"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// writePause is the least time between two writes of a progress.
const writePause = 500 * time.Millisecond

// opKind is what an operation does.
type opKind int

const (
	opNone opKind = iota
	opCreate
	opRemove // what a creation left that failed
	opEdit
	opBoot
	opStop
	opReset // its disk goes, and it is made anew then
	opDelete
)

// phase returns what the user is told of it.
func (k opKind) phase() limav1alpha1.Phase {
	switch k {
	case opEdit:
		return limav1alpha1.PhaseEditing
	case opBoot:
		return limav1alpha1.PhaseBooting
	case opStop:
		return limav1alpha1.PhaseStopping
	case opReset, opDelete:
		return limav1alpha1.PhaseDeleting
	default:
		return limav1alpha1.PhaseCreating
	}
}

// operation is something that takes its time and is under way for a machine.
type operation struct {
	kind opKind
	// template is what it works with.
	template string
	cancel   context.CancelFunc
	// wake has the machine reconciled after a time.
	wake func(time.Duration)

	mu       sync.Mutex
	progress limav1alpha1.Progress // guarded by mu
	waking   bool                  // guarded by mu; the queue knows that there is news
	done     bool                  // guarded by mu
	err      error                 // guarded by mu
}

// start runs an operation in the background; nil where the controller ends.
func (m *machines) start(kind opKind, template string, wake func(time.Duration), do func(context.Context, func(limav1alpha1.Progress)) error) *operation {
	op := &operation{kind: kind, template: template, wake: wake, progress: limav1alpha1.Progress{Phase: kind.phase()}}
	cancel, started := m.run(func(ctx context.Context) {
		err := do(ctx, op.tell)
		op.mu.Lock()
		op.done, op.err = true, err
		op.mu.Unlock()
		op.wake(0)
	})
	if !started {
		return nil
	}
	op.cancel = cancel
	return op
}

// tell takes a progress, and sees to it that it is written, though not too
// often.
func (op *operation) tell(progress limav1alpha1.Progress) {
	op.mu.Lock()
	defer op.mu.Unlock()
	progress.Phase = op.kind.phase()
	op.progress = progress
	if !op.waking {
		op.waking = true
		op.wake(writePause)
	}
}

// state returns how far the operation is, and whether and how it has ended.
func (op *operation) state() (progress limav1alpha1.Progress, done bool, err error) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.waking = false
	return op.progress, op.done, op.err
}
