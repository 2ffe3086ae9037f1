// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
)

// TemplateRejectedError reports that Lima rejected a template.
type TemplateRejectedError struct{ Reason string }

// Error implements error.
func (e *TemplateRejectedError) Error() string { return "Lima rejected the template: " + e.Reason }

// VMRequest is the desired state of a virtual machine.
type VMRequest struct {
	key        client.ObjectKey
	uid        types.UID
	generation int64
	// running is whether it should run, and gone whether it should be deleted.
	running, gone bool
	// template is the resource version of the template copy to apply; empty for any.
	template string
	// rejectable is whether Lima may reject the template, and earlierError the
	// status.templateError before the request.
	rejectable   bool
	earlierError string
	// stale is whether the status may show a failure from before the request.
	stale bool
}

// Name returns the name of the virtual machine.
func (r VMRequest) Name() string { return r.key.Name }

func requestOf(vm *limav1alpha1.LimaVM) VMRequest {
	return VMRequest{key: client.ObjectKeyFromObject(vm), uid: vm.UID, generation: vm.Generation, running: vm.ShouldRun()}
}

// WaitVM waits until a request is done. The message is the warning of a virtual machine that
// runs but is degraded. The wait ends at once if the LimaVM is stalled: waiting does not help
// then. The error is the failure, a [fault.Deadline] if ctx times out, or ctx's error if it is
// cancelled.
func (s *Session) WaitVM(ctx context.Context, r VMRequest) (message string, err error) {
	if err := s.waitObserved(ctx, r); err != nil {
		return "", err
	}
	last := "no progress yet"
	err = s.Wait(ctx, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		done, err := r.judge(vm)
		if vm != nil {
			last = describeVM(vm)
			if message = ""; running(vm).Reason == limav1alpha1.ReasonDegraded {
				message = running(vm).Message
			}
		}
		if !done && err == nil {
			s.say("%s: %s", r.key.Name, last)
			s.reportPercent(vm)
		}
		return done, err
	})
	return message, ended(ctx, err, func() error { return errors.New("not finished in time: " + last) })
}

// reportPercent reports the percentage of the operation in progress.
func (s *Session) reportPercent(vm *limav1alpha1.LimaVM) {
	switch {
	case s.Percent == nil:
	case vm == nil || vm.Status.Progress == nil:
		s.Percent(nil)
	default:
		s.Percent(vm.Status.Progress.Percent)
	}
}

// waitObserved waits until the controller has observed a request, at most
// [observeLimit], if the status may show an earlier failure.
func (s *Session) waitObserved(ctx context.Context, r VMRequest) error {
	if !r.stale {
		return nil
	}
	err := s.waitAtMost(ctx, observeLimit, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		if vm == nil || vm.UID != r.uid || r.observed(vm) {
			return true, nil
		}
		s.say("%s: %s", r.key.Name, describeVM(vm))
		return false, nil
	})
	return ended(ctx, err, func() error { return errors.New("not finished in time") })
}

// observed reports whether the controller has observed the request.
func (r VMRequest) observed(vm *limav1alpha1.LimaVM) bool {
	if r.gone { // the deletion was requested before
		_, failing := failure(vm)
		return !failing
	}
	if r.template != "" && !r.applied(vm) && vm.Status.TemplateError == r.earlierError {
		return false
	}
	return vm.Status.ObservedGeneration >= r.generation &&
		vm.Status.ObservedRestartRequest == vm.Annotations[limav1alpha1.RestartAnnotation]
}

// applied reports whether the controller has applied the template.
func (r VMRequest) applied(vm *limav1alpha1.LimaVM) bool {
	order, err := resourceversion.CompareResourceVersion(vm.Status.ObservedTemplateResourceVersion, r.template)
	return err == nil && order >= 0
}

// judge reports whether a request is done. vm is nil if the LimaVM does not exist. The
// error is the failure.
func (r VMRequest) judge(vm *limav1alpha1.LimaVM) (done bool, err error) {
	exists := vm != nil && vm.UID == r.uid
	switch {
	case r.gone && !exists:
		return true, nil
	case !exists:
		return false, errors.New("it was deleted during the wait")
	case !r.gone && vm.DeletionTimestamp != nil:
		return false, errors.New("it is being deleted")
	case !r.gone && vm.ShouldRun() != r.running:
		return false, errors.New("another client has set spec.running to the opposite")
	}
	if r.rejectable && vm.Status.TemplateError != "" && vm.Status.ObservedGeneration >= r.generation {
		return false, &TemplateRejectedError{vm.Status.TemplateError}
	}
	generation := max(r.generation, vm.Generation) // a deletion increments it
	if done := r.done(vm, generation); done {
		return true, nil
	}
	stalled := condition(vm, limav1alpha1.ConditionStalled)
	if stalled.Status == metav1.ConditionTrue && stalled.ObservedGeneration >= generation {
		return false, errors.New(stalled.Reason + ": " + stalled.Message)
	}
	return false, nil
}

// done reports whether a LimaVM is as a generation asks, and the request.
func (r VMRequest) done(vm *limav1alpha1.LimaVM, generation int64) bool {
	switch {
	case r.gone, created(vm).Status != metav1.ConditionTrue,
		min(running(vm).ObservedGeneration, created(vm).ObservedGeneration) < generation,
		r.template != "" && !r.applied(vm),
		vm.Status.ObservedRestartRequest != vm.Annotations[limav1alpha1.RestartAnnotation]:
		return false
	case r.running:
		return running(vm).Status == metav1.ConditionTrue
	}
	return running(vm).Reason == limav1alpha1.ReasonStopped
}

func created(vm *limav1alpha1.LimaVM) metav1.Condition {
	return condition(vm, limav1alpha1.ConditionCreated)
}

func running(vm *limav1alpha1.LimaVM) metav1.Condition {
	return condition(vm, limav1alpha1.ConditionRunning)
}

// condition returns a condition of a LimaVM; the zero value if it has none of that kind.
func condition(vm *limav1alpha1.LimaVM, kind string) metav1.Condition {
	if found := apimeta.FindStatusCondition(vm.Status.Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{}
}

// failure returns the message of a failed operation, if there is one.
func failure(vm *limav1alpha1.LimaVM) (message string, failing bool) {
	for _, c := range []metav1.Condition{condition(vm, limav1alpha1.ConditionStalled), created(vm), running(vm)} {
		if limav1alpha1.Failed(c) || c.Type == limav1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue {
			return c.Reason + ": " + c.Message, true
		}
	}
	return "", false
}

// describeVM describes the state of a virtual machine, or the progress of an operation.
func describeVM(vm *limav1alpha1.LimaVM) string {
	if message, failing := failure(vm); failing {
		return message
	}
	doing := vm.Status.Progress
	if doing == nil {
		if c := running(vm); c.Reason != "" {
			return c.Reason + ": " + c.Message
		}
		return "no progress yet"
	}
	text := string(doing.Phase)
	if doing.Message != "" {
		text += ": " + doing.Message
	}
	return text
}
