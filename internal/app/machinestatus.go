// SPDX-License-Identifier: Apache-2.0

package app

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// machineCondition returns a condition of the LimaVM, and whether it describes the
// latest spec, template and reset request.
func (s *scope) machineCondition(kind string) (state metav1.Condition, acted bool) {
	condition := apimeta.FindStatusCondition(s.vm.Status.Conditions, kind)
	if condition == nil {
		return state, false
	}
	status := &s.vm.Status
	return *condition, status.ObservedGeneration == s.vm.Generation && condition.ObservedGeneration == s.vm.Generation && !s.resetPending() &&
		(s.template == nil || status.ReportedTemplateResourceVersion == s.template.ResourceVersion)
}

// machineUp reports whether the virtual machine is running and up to date.
func (s *scope) machineUp() bool {
	if s.vm == nil {
		return false
	}
	running, acted := s.machineCondition(limav1alpha1.ConditionRunning)
	return acted && s.vm.ShouldRun() && running.Status == metav1.ConditionTrue && s.vm.Status.TemplateError == ""
}

// reportMachine copies the virtual machine's state into the status. An existing engine
// needs no virtual machine.
func (s *scope) reportMachine() {
	switch {
	case s.app.Spec.ContainerEngine.Endpoint != "":
		state := metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonNotApplicable,
			Message: "containerEngine.endpoint is set: no virtual machine is needed"}
		s.set(appv1alpha1.ConditionCreated, state)
		s.set(appv1alpha1.ConditionRunning, state)
		return
	case s.vm == nil:
		s.set(appv1alpha1.ConditionCreated, metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonPending,
			Message: "the virtual machine is created at the first start"})
		s.set(appv1alpha1.ConditionRunning, metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonStopped,
			Message: "the virtual machine does not exist yet"})
		return
	}
	for _, kind := range []string{limav1alpha1.ConditionCreated, limav1alpha1.ConditionRunning} {
		if state, acted := s.machineCondition(kind); acted {
			s.set(kind, state)
			continue
		}
		if apimeta.FindStatusCondition(s.app.Status.Conditions, kind) == nil {
			s.set(kind, metav1.Condition{Status: metav1.ConditionFalse, Reason: limav1alpha1.ReasonReconciling, Message: "waiting for the virtual machine's controller"})
		}
	}
}

// machineSettled returns why the virtual machine is not settled, nil if it is.
func (s *scope) machineSettled() *verdict {
	if s.vm == nil {
		return nil
	}
	created, _ := s.machineCondition(limav1alpha1.ConditionCreated)
	running, acted := s.machineCondition(limav1alpha1.ConditionRunning)
	blocked, _ := s.machineCondition(limav1alpha1.ConditionStalled)
	wanted, failed := s.wantsMachine(), limav1alpha1.Failed
	waiting := func(reason, message string) *verdict { v := waiting(reason, message); return &v }
	failure := func(state metav1.Condition) *verdict {
		return &verdict{Condition: state, stalled: acted && blocked.Status == metav1.ConditionTrue}
	}
	switch {
	case s.vm.DeletionTimestamp != nil:
		return waiting(appv1alpha1.ReasonWaitingForVM, "the virtual machine is being deleted")
	case liveness.IsMarked(&running): // of whichever generation: no controller acts on a newer one
		v := stalled(running.Reason, running.Message)
		return &v
	case s.resetPending() && failed(created): // removing it may have failed too
		return failure(created)
	case s.resetPending() && failed(running):
		return failure(running)
	case s.resetPending():
		return waiting(appv1alpha1.ReasonWaitingForVM, "the virtual machine is being replaced: "+running.Message)
	case !acted:
		return waiting(appv1alpha1.ReasonApplyingTemplate, "waiting for the virtual machine's controller")
	case !wanted && running.Status == metav1.ConditionFalse && running.Reason == limav1alpha1.ReasonStopped:
		return nil
	case wanted && s.vm.Status.TemplateError != "":
		v := stalled(appv1alpha1.ReasonTemplateRejected, s.vm.Status.TemplateError)
		return &v
	case wanted && failed(created):
		return failure(created)
	case failed(running):
		return failure(running)
	case wanted && created.Status != metav1.ConditionTrue:
		return waiting(appv1alpha1.ReasonWaitingForVM, created.Message)
	case s.machineUp():
		return nil
	case wanted && s.vm.Status.Progress != nil && s.vm.Status.Progress.Phase == limav1alpha1.PhaseEditing:
		return waiting(appv1alpha1.ReasonApplyingTemplate, running.Message)
	}
	return waiting(appv1alpha1.ReasonWaitingForVM, running.Message)
}

// oldImage returns a note if the disk was created from another image than the spec's.
func (s *scope) oldImage() string {
	if s.vm == nil || s.app.Spec.ContainerEngine.Endpoint != "" || readMadeFrom(s.vm).Image == s.app.Spec.VirtualMachine.Image {
		return ""
	}
	return "; the virtual machine was created from another image than virtualMachine.image: `rdd reset` replaces it"
}
