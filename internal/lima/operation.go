// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
)

// opKind is the kind of an operation.
type opKind int

const (
	opNone opKind = iota
	opCreate
	opRemove // the rest of a failed creation
	opEdit
	opBoot
	opStop
	opReset // delete the disk, to create it again afterwards
	opDelete
)

// phase returns the phase that the status reports.
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

// operation is a running operation on a machine.
type operation struct {
	*background.Operation[limav1alpha1.Progress, struct{}]
	kind opKind
	// template is the template that it applies.
	template string
}

// start runs an operation in the background; nil if the controller is stopping.
func (m *machines) start(clock clock.PassiveClock, kind opKind, template string, wake func(time.Duration),
	do func(context.Context, func(limav1alpha1.Progress)) error) *operation {
	op := background.Begin(context.Background(), &m.Group, clock, wake, limav1alpha1.Progress{Phase: kind.phase()},
		func(ctx context.Context, report func(limav1alpha1.Progress)) (struct{}, error) {
			return struct{}{}, do(ctx, func(progress limav1alpha1.Progress) {
				progress.Phase = kind.phase()
				report(progress)
			})
		})
	if op == nil {
		return nil
	}
	return &operation{Operation: op, kind: kind, template: template}
}
