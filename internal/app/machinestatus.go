// SPDX-License-Identifier: Apache-2.0

package app

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// machineSays returns a condition of the LimaVM, and whether it speaks of what was
// asked of that last: by its spec, its template, and a request for a reset.
func (s *scope) machineSays(kind string) (state metav1.Condition, acted bool) {
	said := apimeta.FindStatusCondition(s.vm.Status.Conditions, kind)
	if said == nil {
		return state, false
	}
	status := &s.vm.Status
	return *said, status.ObservedGeneration == s.vm.Generation && said.ObservedGeneration == s.vm.Generation && !s.resetPending() &&
		(s.template == nil || status.ReportedTemplateResourceVersion == s.template.ResourceVersion)
}

// machineUp reports whether the virtual machine runs as it was asked to last.
func (s *scope) machineUp() bool {
	if s.vm == nil {
		return false
	}
	running, acted := s.machineSays(limav1alpha1.ConditionRunning)
	return acted && s.vm.ShouldRun() && running.Status == metav1.ConditionTrue && s.vm.Status.TemplateError == ""
}

// reportMachine says how the virtual machine is. There is none where the engine
// is there already.
func (s *scope) reportMachine() {
	switch {
	case s.app.Spec.ContainerEngine.Endpoint != "":
		state := metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonNotApplicable,
			Message: "the engine is at containerEngine.endpoint"}
		s.set(appv1alpha1.ConditionCreated, state)
		s.set(appv1alpha1.ConditionRunning, state)
		return
	case s.vm == nil:
		s.set(appv1alpha1.ConditionCreated, metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonPending,
			Message: "the virtual machine is made at the first start"})
		s.set(appv1alpha1.ConditionRunning, metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonStopped,
			Message: "there is no virtual machine yet"})
		return
	}
	for _, kind := range []string{limav1alpha1.ConditionCreated, limav1alpha1.ConditionRunning} {
		if state, acted := s.machineSays(kind); acted {
			s.set(kind, state)
			continue
		}
		if apimeta.FindStatusCondition(s.app.Status.Conditions, kind) == nil {
			s.set(kind, metav1.Condition{Status: metav1.ConditionFalse, Reason: limav1alpha1.ReasonReconciling, Message: "not acted on yet"})
		}
	}
}

// machineSettled says what of the virtual machine is not as the spec asks for,
// nil where all is.
func (s *scope) machineSettled() *verdict {
	if s.vm == nil {
		return nil
	}
	created, _ := s.machineSays(limav1alpha1.ConditionCreated)
	running, acted := s.machineSays(limav1alpha1.ConditionRunning)
	blocked, _ := s.machineSays(limav1alpha1.ConditionStalled)
	wanted, failed := s.wantsMachine(), limav1alpha1.Failed
	waiting := func(reason, message string) *verdict { v := waiting(reason, message); return &v }
	failure := func(state metav1.Condition) *verdict {
		return &verdict{Condition: state, stalled: acted && blocked.Status == metav1.ConditionTrue}
	}
	switch {
	case s.vm.DeletionTimestamp != nil:
		return waiting(appv1alpha1.ReasonWaitingForVM, "the virtual machine is being deleted")
	case liveness.IsMarked(&running): // whichever generation it was of: no controller acts on another one
		v := stalled(running.Reason, running.Message)
		return &v
	case s.resetPending() && failed(created): // maybe it can't be removed either
		return failure(created)
	case s.resetPending() && failed(running):
		return failure(running)
	case s.resetPending():
		return waiting(appv1alpha1.ReasonWaitingForVM, "the virtual machine is being replaced: "+running.Message)
	case !acted:
		return waiting(appv1alpha1.ReasonApplyingTemplate, "the virtual machine's controller has not acted yet")
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

// oldImage says that another image is wanted than the one that the disk of the
// virtual machine was made from.
func (s *scope) oldImage() string {
	if s.vm == nil || s.app.Spec.ContainerEngine.Endpoint != "" || readMadeFrom(s.vm).Image == s.app.Spec.VirtualMachine.Image {
		return ""
	}
	return "; the virtual machine was made from another image than virtualMachine.image: `rdd reset` makes one from that"
}
