// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// set writes a condition for the generation that was read.
func (s *scope) set(kind string, status metav1.ConditionStatus, reason, message string) {
	bounded.Set(&s.vm.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, ObservedGeneration: s.vm.Generation, Reason: reason, Message: message,
	})
}

// reportStalled writes the condition Stalled, or removes it. With a rejected template, the
// LimaVM is stalled once the rest of its spec is true.
func (s *scope) reportStalled() {
	running := apimeta.FindStatusCondition(s.vm.Status.Conditions, limav1alpha1.ConditionRunning)
	steady := running != nil && (running.Status == metav1.ConditionTrue || running.Reason == limav1alpha1.ReasonStopped)
	if s.stalled == nil && steady && s.vm.Status.TemplateError != "" && s.vm.Status.Progress == nil {
		s.stalled = &metav1.Condition{Reason: limav1alpha1.ReasonTemplateRejected, Message: s.vm.Status.TemplateError}
	}
	if s.stalled == nil {
		apimeta.RemoveStatusCondition(&s.vm.Status.Conditions, limav1alpha1.ConditionStalled)
		return
	}
	s.set(limav1alpha1.ConditionStalled, metav1.ConditionTrue, s.stalled.Reason, s.stalled.Message)
}

// stall marks the failed condition, or the deletion that err prevents, as one for which
// waiting does not help.
func (s *scope) stall(err error) {
	for _, kind := range []string{limav1alpha1.ConditionCreated, limav1alpha1.ConditionRunning} {
		if c := apimeta.FindStatusCondition(s.vm.Status.Conditions, kind); c != nil && limav1alpha1.Failed(*c) {
			s.stalled = c.DeepCopy()
			return
		}
	}
	if s.vm.DeletionTimestamp != nil {
		s.stalled = &metav1.Condition{Reason: limav1alpha1.ReasonStopFailed, Message: err.Error()}
	}
}

// created sets whether the instance exists.
func (s *scope) created(status metav1.ConditionStatus, reason, message string) {
	s.set(limav1alpha1.ConditionCreated, status, reason, message)
}

// runs sets whether the virtual machine is running.
func (s *scope) runs(status metav1.ConditionStatus, reason, message string) {
	s.set(limav1alpha1.ConditionRunning, status, reason, message)
	if status != metav1.ConditionTrue {
		s.vm.Status.SSHAddress, s.vm.Status.StartedAt = "", nil
	}
}

// isCreated reports that the instance exists.
func (s *scope) isCreated() {
	s.created(metav1.ConditionTrue, limav1alpha1.ReasonCreated, "the virtual machine exists")
}

// up reports that the virtual machine is running.
func (s *scope) up() {
	s.isCreated()
	s.describe()
	s.vm.Status.SSHAddress = s.observed.instance.SSHEndpoint()
	s.vm.Status.StartedAt = &metav1.MicroTime{Time: s.limactl.StartedAt(s.vm.Name).Truncate(time.Microsecond)}
	if s.observed.state.Degraded {
		s.runs(metav1.ConditionTrue, limav1alpha1.ReasonDegraded, "the virtual machine runs with errors: "+strings.Join(s.observed.state.Errors, "; "))
		return
	}
	s.runs(metav1.ConditionTrue, limav1alpha1.ReasonStarted, "the virtual machine runs")
}

// describe reports how to connect to the virtual machine.
func (s *scope) describe() {
	s.vm.Status.SSHConfigFile = s.observed.instance.SSHConfigFile
	s.vm.Status.Sockets = nil
	for _, socket := range s.observed.instance.Sockets() {
		s.vm.Status.Sockets = append(s.vm.Status.Sockets, limav1alpha1.Socket(socket))
	}
}

// stoppedNow reports that the virtual machine is stopped, as desired.
func (s *scope) stoppedNow() {
	s.isCreated()
	s.describe()
	s.runs(metav1.ConditionFalse, limav1alpha1.ReasonStopped, "the virtual machine is stopped")
}

// doing reports the current operation.
func (s *scope) doing(kind opKind, message string) {
	switch kind {
	case opCreate, opRemove:
		s.created(metav1.ConditionFalse, limav1alpha1.ReasonPending, or(message, "creating the virtual machine"))
		s.runs(metav1.ConditionFalse, limav1alpha1.ReasonReconciling, "creating the virtual machine")
	case opEdit:
		s.isCreated()
		s.runs(metav1.ConditionFalse, limav1alpha1.ReasonReconciling, "applying the template")
	case opBoot:
		s.isCreated()
		reason, text := limav1alpha1.ReasonStarting, or(message, "the virtual machine is starting")
		if failed := s.machine.attempts; failed.looping() {
			reason, text = limav1alpha1.ReasonCrashLoop, fmt.Sprintf("starting again after %d failures; last: %v", failed.failures, failed.err)
		}
		s.runs(metav1.ConditionFalse, reason, text)
	case opReset:
		s.created(metav1.ConditionFalse, limav1alpha1.ReasonPending, "replacing the virtual machine")
		s.runs(metav1.ConditionFalse, limav1alpha1.ReasonStopping, or(message, "the virtual machine is being removed"))
	case opStop, opDelete:
		s.runs(metav1.ConditionFalse, limav1alpha1.ReasonStopping, or(message, "the virtual machine is stopping"))
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// failing reports the failure, and the time of the next attempt.
func (s *scope) failing(wait time.Duration) {
	failed := s.machine.attempts
	message := fmt.Sprintf("%v; retrying in %s", failed.err, wait.Round(time.Second))
	switch failed.kind {
	case opCreate, opRemove:
		s.created(metav1.ConditionFalse, limav1alpha1.ReasonCreateFailed, message)
		s.runsNot(limav1alpha1.ReasonStartFailed, "the virtual machine could not be created")
	case opStop, opReset, opDelete:
		s.runs(metav1.ConditionFalse, limav1alpha1.ReasonStopFailed, message)
	default:
		reason := limav1alpha1.ReasonStartFailed
		if failed.looping() {
			reason, message = limav1alpha1.ReasonCrashLoop, fmt.Sprintf("failed %d times; last: %s", failed.failures, message)
		}
		s.runsNot(reason, message)
		if s.observed.phase == absent {
			s.created(metav1.ConditionFalse, limav1alpha1.ReasonPending, "the virtual machine does not exist")
		} else {
			s.isCreated()
		}
	}
	if limactl.Permanent(failed.err) {
		s.stall(failed.err)
	}
}

// unknown reports that the virtual machine can't be managed or observed. What was
// observed before stays, with its older observedGeneration.
func (s *scope) unknown(err error) {
	if apimeta.IsStatusConditionTrue(s.vm.Status.Conditions, limav1alpha1.ConditionCreated) && !limactl.Unusable(err) {
		s.runs(metav1.ConditionUnknown, limav1alpha1.ReasonReconciling, err.Error())
		return
	}
	if !apimeta.IsStatusConditionTrue(s.vm.Status.Conditions, limav1alpha1.ConditionCreated) {
		s.created(metav1.ConditionFalse, limav1alpha1.ReasonCreateFailed, err.Error())
	}
	s.runsNot(limav1alpha1.ReasonStartFailed, err.Error())
	if limactl.Unusable(err) {
		s.stall(err)
	}
}

// runsNot reports that the virtual machine is not running, and why. If it should not be
// running, that is the desired state.
func (s *scope) runsNot(reason, why string) {
	files := &limactl.Client{Home: s.Home} // reading its files needs no limactl
	if !s.vm.ShouldRun() && files.Processes(s.vm.Name) == (limactl.Processes{}) {
		reason = limav1alpha1.ReasonStopped
	}
	s.runs(metav1.ConditionFalse, reason, why)
}

// conflict reports that the instance of the name belongs to another LimaVM.
func (s *scope) conflict(owner *limav1alpha1.LimaVM) {
	message := fmt.Sprintf("the virtual machine of this name belongs to the LimaVM %s/%s", owner.Namespace, owner.Name)
	s.created(metav1.ConditionFalse, limav1alpha1.ReasonCreateFailed, message)
	s.runs(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed, message)
	s.stall(nil)
}

// withoutTemplate reports that there is no template. Changes of the copy wake this
// reconciler; only a missing source has to be polled.
func (s *scope) withoutTemplate(err error) (reconcile.Result, error) {
	s.created(metav1.ConditionFalse, limav1alpha1.ReasonCreateFailed, err.Error())
	s.runsNot(limav1alpha1.ReasonStartFailed, "the virtual machine could not be created")
	if limactl.Permanent(err) || errors.As(err, new(*unfitError)) {
		s.stall(err)
	} else if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: lookAgain}, nil
}
