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
	// endingGrace is how long a host agent may take to exit after its virtual machine
	// stopped: it logs the reason.
	endingGrace = 10 * time.Second
	endingPoll  = 500 * time.Millisecond
)

// phase is the state of an instance, as observed.
type phase int

const (
	absent phase = iota
	halfMade
	stopped
	booting
	up
	// ending: the virtual machine has stopped, its host agent is exiting.
	ending
	// broken: parts of it are running, but it is unusable.
	broken
)

// observation is the observed state of an instance.
type observation struct {
	phase     phase
	instance  limactl.Instance
	processes limactl.Processes
	state     limactl.State
	// applied is the template that is applied to it.
	applied string
}

// observe reads the state of the instance.
func (s *scope) observe(ctx context.Context) (observed observation, err error) {
	observed.instance, err = s.limactl.Get(ctx, s.vm.Name)
	if limactl.KindOf(err) == limactl.NoInstance {
		return observation{phase: absent}, nil
	}
	if err != nil {
		return observed, err
	}
	created := apimeta.IsStatusConditionTrue(s.before.Status.Conditions, limav1alpha1.ConditionCreated)
	if !created && s.limactl.HalfMade(observed.instance, s.vm.CreationTimestamp.Time) {
		observed.phase = halfMade
		return observed, nil
	}
	if observed.applied, err = s.limactl.Applied(s.vm.Name); err != nil && !errors.Is(err, limactl.ErrNotApplied) {
		return observed, err
	}
	observed.processes = s.limactl.Processes(s.vm.Name)
	switch observed.instance.Status {
	case limactl.Stopped:
		observed.phase = stopped
	case limactl.Running:
		events := s.limactl.Events(s.vm.Name)
		defer events.Close()
		if observed.state, err = events.State(); err != nil {
			return observed, err
		}
		observed.phase = booting
		if observed.state.Ready {
			observed.phase = up
		}
		if observed.state.Exiting || observed.instance.DriverPID != 0 && observed.processes.Driver.PID == 0 {
			observed.phase = ending
		}
	default:
		observed.phase = broken
		if observed.processes.HostAgent.PID != 0 && observed.processes.Driver.PID == 0 {
			observed.phase = ending // or starting, if another program starts it
		}
	}
	return observed, nil
}

// act starts the next operation for the observed state.
func (s *scope) act() reconcile.Result {
	if s.observed.phase != ending {
		s.machine.ending = time.Time{}
	}
	s.noticeDeath()
	if s.resetRequested() {
		if s.observed.phase != absent {
			return s.begin(opReset, func(ctx context.Context, a *actions) error { return a.delete(ctx, false) })
		}
		s.vm.Status.ObservedResetRequest = s.vm.Annotations[limav1alpha1.ResetAnnotation]
		s.machine.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
	}
	applied := same(s.observed.applied, s.desired)
	if applied && s.vm.Status.TemplateError == "" {
		s.vm.Status.ObservedTemplateResourceVersion = s.copy.ResourceVersion
	}
	request := s.vm.Annotations[limav1alpha1.RestartAnnotation]
	switch s.observed.phase {
	case absent, halfMade, stopped:
		if request != s.vm.Status.ObservedRestartRequest { // the next start satisfies the request
			s.vm.Status.ObservedRestartRequest = request
			s.machine.attempts = attempts{generation: s.vm.Generation, template: s.copy.ResourceVersion}
		}
	}
	switch s.observed.phase {
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
		if !s.vm.ShouldRun() || !applied { // a graceful stop would take three minutes
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

// resetRequested reports whether the virtual machine should be replaced.
func (s *scope) resetRequested() bool {
	request := s.vm.Annotations[limav1alpha1.ResetAnnotation]
	return request != "" && request != s.vm.Status.ObservedResetRequest
}

// endOrphans stops the processes of an instance that another program removed.
func (s *scope) endOrphans() error {
	if s.machine.watch == nil {
		return nil
	}
	return errors.Join(s.machine.watch.processes.HostAgent.Kill(), s.machine.watch.processes.Driver.Kill())
}

// actStopped starts the next operation for an instance that is not running.
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
	if err := s.limactl.Preflight(s.observed.instance); err != nil && s.machine.attempts.until.Before(s.Clock.Now()) {
		s.failed(opBoot, err)
	}
	result := s.begin(opBoot, func(ctx context.Context, a *actions) error { return a.boot(ctx, true) })
	if restarting && s.machine.op != op {
		s.machine.restarting = false
		s.vm.Status.RestartCount++
	}
	return result
}

// stop stops the instance, by force if graceful is 0.
func (s *scope) stop(graceful time.Duration) reconcile.Result {
	return s.begin(opStop, func(ctx context.Context, a *actions) error { return a.stop(ctx, graceful) })
}

// letEnd waits for a host agent to exit after its virtual machine stopped, or to finish
// starting, and stops it when the time is up.
func (s *scope) letEnd() reconcile.Result {
	if s.machine.ending.IsZero() {
		s.machine.ending = s.Clock.Now()
	}
	if s.Clock.Since(s.machine.ending) > endingGrace {
		return s.stop(0)
	}
	s.runs(metav1.ConditionFalse, limav1alpha1.ReasonReconciling, "the virtual machine has stopped, its host agent is exiting")
	return reconcile.Result{RequeueAfter: endingPoll}
}

// noticeDeath counts the unexpected end of a running virtual machine.
func (s *scope) noticeDeath() {
	ran := apimeta.IsStatusConditionTrue(s.before.Status.Conditions, limav1alpha1.ConditionRunning)
	if s.observed.phase == ending || s.observed.phase == booting || s.observed.phase == up {
		s.machine.died = s.machine.died || ran && s.observed.phase == ending
		return
	}
	if (ran || s.machine.died) && s.ended == opNone && s.vm.ShouldRun() {
		s.failed(opBoot, s.whyDied())
	}
	s.machine.died = false
}

func (s *scope) whyDied() error {
	switch s.observed.phase {
	case absent:
		return errors.New("the instance was removed")
	case broken:
		return errors.New("the host agent exited while the virtual machine runs")
	}
	return s.limactl.Ended(s.vm.Name, "the virtual machine stopped by itself")
}

// keepRunning watches the virtual machine, which is in its desired state.
func (s *scope) keepRunning() reconcile.Result {
	m := s.machine
	if m.watch != nil && m.watch.processes != s.observed.processes {
		m.watch.cancel()
		m.watch = nil
	}
	if m.watch == nil {
		m.watch = s.machines.observe(s.limactl, s.vm.Name, s.observed.processes, s.observed.state, s.wake)
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
