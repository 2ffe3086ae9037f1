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

// TemplateRejectedError says that a template was not applied.
type TemplateRejectedError struct{ Reason string }

// Error implements error.
func (e *TemplateRejectedError) Error() string { return "the template is rejected: " + e.Reason }

// VMRequest is what was asked of a virtual machine.
type VMRequest struct {
	key        client.ObjectKey
	uid        types.UID
	generation int64
	// running is whether it is to run, and gone that it is not to be there.
	running, gone bool
	// template is the resource version of its own template that is to be applied;
	// empty for any.
	template string
	// rejected says that the template may have been rejected, and formerly what the
	// status said of that before the request.
	rejected bool
	formerly string
	// stale says that the status may tell of a failure before the request.
	stale bool
}

// Name returns the name of the virtual machine.
func (r VMRequest) Name() string { return r.key.Name }

func requestOf(vm *limav1alpha1.LimaVM) VMRequest {
	return VMRequest{key: client.ObjectKeyFromObject(vm), uid: vm.UID, generation: vm.Generation, running: vm.ShouldRun()}
}

// WaitVM waits until what was asked for is true. A message says what is not as it
// should be all the same, though the virtual machine runs. It ends at once if the
// LimaVM is stalled: waiting does not help then. An error says what is not true; at
// the end of ctx it is a [fault.Deadline], or that ctx was cancelled.
func (s *Session) WaitVM(ctx context.Context, r VMRequest) (message string, err error) {
	if err := s.untilTaken(ctx, r); err != nil {
		return "", err
	}
	last := "nothing has happened yet"
	err = s.wait(ctx, vms, r.key, func(object client.Object) (bool, error) {
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
	return message, ended(ctx, err, func() error { return errors.New("not done in time: " + last) })
}

// reportPercent tells how much is over of what is being done with a virtual machine.
func (s *Session) reportPercent(vm *limav1alpha1.LimaVM) {
	switch {
	case s.Percent == nil:
	case vm == nil || vm.Status.Progress == nil:
		s.Percent(nil)
	default:
		s.Percent(vm.Status.Progress.Percent)
	}
}

// untilTaken waits until the controller has looked at a request, where that is to
// be known, and not too long.
func (s *Session) untilTaken(ctx context.Context, r VMRequest) error {
	if !r.stale {
		return nil
	}
	err := s.waitAtMost(ctx, takenLimit, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		if vm == nil || vm.UID != r.uid || r.taken(vm) {
			return true, nil
		}
		s.say("%s: %s", r.key.Name, describeVM(vm))
		return false, nil
	})
	return ended(ctx, err, func() error { return errors.New("not done in time") })
}

// taken reports whether the controller has looked at the request.
func (r VMRequest) taken(vm *limav1alpha1.LimaVM) bool {
	if r.gone { // it is not the first that asks for that
		_, failing := failure(vm)
		return !failing
	}
	if r.template != "" && !r.applied(vm) && vm.Status.TemplateError == r.formerly {
		return false
	}
	return vm.Status.ObservedGeneration >= r.generation &&
		vm.Status.ObservedRestartRequest == vm.Annotations[limav1alpha1.RestartAnnotation]
}

// applied reports whether the virtual machine has the template.
func (r VMRequest) applied(vm *limav1alpha1.LimaVM) bool {
	order, err := resourceversion.CompareResourceVersion(vm.Status.ObservedTemplateResourceVersion, r.template)
	return err == nil && order >= 0
}

// judge reports whether what was asked for is true of a LimaVM, which is nil where
// there is none.
func (r VMRequest) judge(vm *limav1alpha1.LimaVM) (done bool, err error) {
	there := vm != nil && vm.UID == r.uid
	switch {
	case r.gone && !there:
		return true, nil
	case !there:
		return false, errors.New("it was deleted during the wait")
	case !r.gone && vm.DeletionTimestamp != nil:
		return false, errors.New("it is being deleted")
	case !r.gone && vm.ShouldRun() != r.running:
		return false, errors.New("another client has set spec.running to the opposite")
	}
	if r.rejected && vm.Status.TemplateError != "" && vm.Status.ObservedGeneration >= r.generation {
		return false, &TemplateRejectedError{vm.Status.TemplateError}
	}
	generation := max(r.generation, vm.Generation) // a deletion is one, too
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

// condition returns a condition of a LimaVM; the zero one for none.
func condition(vm *limav1alpha1.LimaVM, kind string) metav1.Condition {
	if found := apimeta.FindStatusCondition(vm.Status.Conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{}
}

// failure returns what has failed, if anything has.
func failure(vm *limav1alpha1.LimaVM) (message string, failing bool) {
	for _, c := range []metav1.Condition{condition(vm, limav1alpha1.ConditionStalled), created(vm), running(vm)} {
		if limav1alpha1.Failed(c) || c.Type == limav1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue {
			return c.Reason + ": " + c.Message, true
		}
	}
	return "", false
}

// describeVM says how a virtual machine is, and how far what is being done with it.
func describeVM(vm *limav1alpha1.LimaVM) string {
	if message, failing := failure(vm); failing {
		return message
	}
	doing := vm.Status.Progress
	if doing == nil {
		if c := running(vm); c.Reason != "" {
			return c.Reason + ": " + c.Message
		}
		return "nothing has happened yet"
	}
	text := string(doing.Phase)
	if doing.Message != "" {
		text += ": " + doing.Message
	}
	return text
}
