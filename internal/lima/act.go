// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"context"
	"errors"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

const (
	// endingGrace is how long a host agent may take to end after its virtual
	// machine: it writes why that has ended.
	endingGrace = 10 * time.Second
	endingPoll  = 500 * time.Millisecond
)

// phase is what of an instance is there.
type phase int

const (
	absent phase = iota
	halfMade
	stopped
	booting
	up
	// ending: the virtual machine has ended, and its host agent is about to.
	ending
	// broken: what lives of it is of no use.
	broken
)

// sight is an instance as it was seen.
type sight struct {
	phase     phase
	instance  limactl.Instance
	processes limactl.Processes
	state     limactl.State
	// applied is the template that it has.
	applied string
}

// look looks at the instance.
func (s *scope) look(ctx context.Context) (seen sight, err error) {
	seen.instance, err = s.limactl.Get(ctx, s.vm.Name)
	if limactl.KindOf(err) == limactl.NoInstance {
		return sight{phase: absent}, nil
	}
	if err != nil {
		return seen, err
	}
	created := apimeta.IsStatusConditionTrue(s.before.Status.Conditions, limav1alpha1.ConditionCreated)
	if !created && s.limactl.HalfMade(seen.instance, s.vm.CreationTimestamp.Time) {
		seen.phase = halfMade
		return seen, nil
	}
	if seen.applied, err = s.limactl.Applied(s.vm.Name); err != nil && !errors.Is(err, limactl.ErrNotApplied) {
		return seen, err
	}
	seen.processes = s.limactl.Processes(s.vm.Name)
	switch seen.instance.Status {
	case limactl.Stopped:
		seen.phase = stopped
	case limactl.Running:
		events := s.limactl.Events(s.vm.Name)
		defer events.Close()
		if seen.state, err = events.State(); err != nil {
			return seen, err
		}
		seen.phase = booting
		if seen.state.Ready {
			seen.phase = up
		}
		if seen.state.Exiting || seen.instance.DriverPID != 0 && seen.processes.Driver.PID == 0 {
			seen.phase = ending
		}
	default:
		seen.phase = broken
		if seen.processes.HostAgent.PID != 0 && seen.processes.Driver.PID == 0 {
			seen.phase = ending // or just beginning, if another has started it
		}
	}
	return seen, nil
}

// act decides by what was seen.
func (s *scope) act() reconcile.Result {
	if s.seen.phase != ending {
		s.machine.ending = time.Time{}
	}
	s.noticeDeath()
	if s.resetRequested() {
		if s.seen.phase != absent {
			return s.begin(opReset, func(ctx context.Context, a *actions) error { return a.delete(ctx, false) })
		}
		s.vm.Status.ObservedResetRequest = s.vm.Annotations[limav1alpha1.ResetAnnotation]
		s.machine.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
	}
	applied := same(s.seen.applied, s.desired)
	if applied && s.vm.Status.TemplateError == "" {
		s.vm.Status.ObservedTemplateResourceVersion = s.copy.ResourceVersion
	}
	request := s.vm.Annotations[limav1alpha1.RestartAnnotation]
	switch s.seen.phase {
	case absent, halfMade, stopped:
		if request != s.vm.Status.ObservedRestartRequest { // the next start is what it asks for
			s.vm.Status.ObservedRestartRequest = request
			s.machine.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
		}
	}
	switch s.seen.phase {
	case absent:
		if err := s.endOrphans(); err != nil {
			s.failed(opBoot, err)
		}
		template := s.desired
		return s.begin(opCreate, func(ctx context.Context, a *actions) error { return a.create(ctx, template) })
	case halfMade:
		return s.begin(opRemove, func(ctx context.Context, a *actions) error { return a.remove(ctx) })
	case broken:
		return s.stop(0)
	case ending:
		return s.letEnd()
	case stopped:
		return s.actStopped(applied)
	case booting:
		if !s.vm.ShouldRun() || !applied { // gracefully it would take three minutes
			s.machine.restarting = s.vm.ShouldRun()
			return s.stop(0)
		}
		return s.begin(opBoot, func(ctx context.Context, a *actions) error { return a.boot(ctx, false) })
	}
	restart := !applied || request != s.vm.Status.ObservedRestartRequest
	if !s.vm.ShouldRun() || restart {
		s.machine.restarting = s.vm.ShouldRun()
		return s.stop(s.Stop)
	}
	return s.keepRunning()
}

// resetRequested reports whether another virtual machine is to take this one's
// place.
func (s *scope) resetRequested() bool {
	request := s.vm.Annotations[limav1alpha1.ResetAnnotation]
	return request != "" && request != s.vm.Status.ObservedResetRequest
}

// endOrphans ends what ran of an instance that another program removed.
func (s *scope) endOrphans() error {
	if s.machine.watch == nil {
		return nil
	}
	return errors.Join(s.machine.watch.processes.HostAgent.Kill(), s.machine.watch.processes.Driver.Kill())
}

// actStopped goes on with an instance that does not run.
func (s *scope) actStopped(applied bool) reconcile.Result {
	template := s.desired
	if !applied {
		return s.begin(opEdit, func(ctx context.Context, a *actions) error { return a.edit(ctx, template) })
	}
	if !s.vm.ShouldRun() {
		s.machine.restarting = false
		s.stoppedNow()
		return reconcile.Result{}
	}
	restarting, op := s.machine.restarting, s.machine.op
	if err := s.limactl.Preflight(s.seen.instance); err != nil && s.machine.attempts.until.Before(s.Clock.Now()) {
		s.failed(opBoot, err)
	}
	result := s.begin(opBoot, func(ctx context.Context, a *actions) error { return a.boot(ctx, true) })
	if restarting && s.machine.op != op {
		s.machine.restarting = false
		s.vm.Status.RestartCount++
	}
	return result
}

// stop stops the instance, by force where it may take no time.
func (s *scope) stop(graceful time.Duration) reconcile.Result {
	return s.begin(opStop, func(ctx context.Context, a *actions) error { return a.stop(ctx, graceful) })
}

// letEnd gives a host agent the time to end after its virtual machine, or to
// begin with it, and ends it then.
func (s *scope) letEnd() reconcile.Result {
	if s.machine.ending.IsZero() {
		s.machine.ending = s.Clock.Now()
	}
	if s.Clock.Since(s.machine.ending) > endingGrace {
		return s.stop(0)
	}
	s.runs(metav1.ConditionFalse, limav1alpha1.ReasonReconciling, "the virtual machine has ended, and its host agent is about to")
	return reconcile.Result{RequeueAfter: endingPoll}
}

// noticeDeath counts the end of a virtual machine that ran, and that this daemon
// has stopped.
func (s *scope) noticeDeath() {
	ran := apimeta.IsStatusConditionTrue(s.before.Status.Conditions, limav1alpha1.ConditionRunning)
	if s.seen.phase == ending || s.seen.phase == booting || s.seen.phase == up {
		s.machine.died = s.machine.died || ran && s.seen.phase == ending
		return
	}
	if (ran || s.machine.died) && s.ended == opNone && s.vm.ShouldRun() {
		s.failed(opBoot, s.whyDied())
	}
	s.machine.died = false
}

func (s *scope) whyDied() error {
	switch s.seen.phase {
	case absent:
		return errors.New("the instance was removed")
	case broken:
		return errors.New("the host agent has ended, and not the virtual machine")
	}
	return s.limactl.Ended(s.vm.Name, "the virtual machine has stopped by itself")
}

// keepRunning watches the virtual machine, which is as it should be.
func (s *scope) keepRunning() reconcile.Result {
	m := s.machine
	if m.watch != nil && m.watch.processes != s.seen.processes {
		m.watch.cancel()
		m.watch = nil
	}
	if m.watch == nil {
		m.watch = s.machines.observe(s.limactl, s.vm.Name, s.seen.processes, s.seen.state, s.wake)
		m.since = s.Clock.Now()
	}
	m.restarting = false
	s.up()
	if m.attempts.failures == 0 {
		return reconcile.Result{}
	}
	if left := s.Stable - s.Clock.Since(m.since); left > 0 {
		return reconcile.Result{RequeueAfter: left}
	}
	m.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
	return reconcile.Result{}
}
