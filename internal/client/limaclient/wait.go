// SPDX-License-Identifier: Apache-2.0

package limaclient

import (
	"context"
	"errors"
	"slices"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/follow"
)

// observeLimit is how long to wait until the controller observes a request without a new
// generation. After that, its status counts as the result of the request: without
// limactl, for example, the status does not change.
const observeLimit = 10 * time.Second

// failures are the reasons of failed operations. The controller retries them, but that may
// take long and fail again.
var failures = []string{
	limav1alpha1.ReasonCreateFailed, limav1alpha1.ReasonStartFailed, limav1alpha1.ReasonStopFailed, limav1alpha1.ReasonCrashLoop,
}

// RejectedError reports that Lima rejected a template.
type RejectedError struct{ Reason string }

// Error implements error.
func (e *RejectedError) Error() string { return "Lima rejected the template: " + e.Reason }

// Request is the desired state of a virtual machine.
type Request struct {
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
func (r Request) Name() string { return r.key.Name }

func requestOf(vm *limav1alpha1.LimaVM) Request {
	return Request{key: client.ObjectKeyFromObject(vm), uid: vm.UID, generation: vm.Generation, running: vm.ShouldRun()}
}

func vms() client.ObjectList { return &limav1alpha1.LimaVMList{} }

// Wait waits until a request is done. The message is the warning of a virtual machine that
// runs but is degraded. The error is the failure, a [fault.Deadline] if ctx times out, or
// ctx's error if it is cancelled.
func (c *Client) Wait(ctx context.Context, r Request) (message string, err error) {
	if err := c.waitObserved(ctx, r); err != nil {
		return "", err
	}
	last := "no progress yet"
	err = c.Object(ctx, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		done, err := r.judge(vm)
		if vm != nil {
			last = describe(vm)
			if message = ""; running(vm).Reason == limav1alpha1.ReasonDegraded {
				message = running(vm).Message
			}
		}
		if !done && err == nil {
			c.Say("%s: %s", r.key.Name, last)
			c.reportPercent(vm)
		}
		return done, err
	})
	return message, follow.Ended(ctx, err, func() error { return errors.New("not finished in time: " + last) })
}

// reportPercent reports the percentage of the operation in progress.
func (c *Client) reportPercent(vm *limav1alpha1.LimaVM) {
	switch {
	case c.Percent == nil:
	case vm == nil || vm.Status.Progress == nil:
		c.Percent(nil)
	default:
		c.Percent(vm.Status.Progress.Percent)
	}
}

// waitObserved waits until the controller has observed a request, at most
// [observeLimit], if the status may show an earlier failure.
func (c *Client) waitObserved(ctx context.Context, r Request) error {
	if !r.stale {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	err := c.Object(limited, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		if vm == nil || vm.UID != r.uid || r.observed(vm) {
			return true, nil
		}
		c.Say("%s: %s", r.key.Name, describe(vm))
		return false, nil
	})
	if ctx.Err() == nil && limited.Err() != nil {
		return nil
	}
	return follow.Ended(ctx, err, func() error { return errors.New("not finished in time") })
}

// observed reports whether the controller has observed the request.
func (r Request) observed(vm *limav1alpha1.LimaVM) bool {
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
func (r Request) applied(vm *limav1alpha1.LimaVM) bool {
	order, err := resourceversion.CompareResourceVersion(vm.Status.ObservedTemplateResourceVersion, r.template)
	return err == nil && order >= 0
}

// judge reports whether a request is done. vm is nil if the LimaVM does not exist. The
// error is the failure.
func (r Request) judge(vm *limav1alpha1.LimaVM) (done bool, err error) {
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
		return false, &RejectedError{vm.Status.TemplateError}
	}
	generation := max(r.generation, vm.Generation) // a deletion increments it
	if message, failing := failureOf(vm, generation); failing {
		return false, errors.New(message)
	}
	switch {
	case r.gone, created(vm).Status != metav1.ConditionTrue,
		min(running(vm).ObservedGeneration, created(vm).ObservedGeneration) < generation,
		r.template != "" && !r.applied(vm),
		vm.Status.ObservedRestartRequest != vm.Annotations[limav1alpha1.RestartAnnotation]:
		return false, nil
	case r.running:
		return running(vm).Status == metav1.ConditionTrue, nil
	}
	return running(vm).Reason == limav1alpha1.ReasonStopped, nil
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
func failure(vm *limav1alpha1.LimaVM) (message string, failing bool) { return failureOf(vm, 0) }

// failureOf is failure since a generation.
func failureOf(vm *limav1alpha1.LimaVM, generation int64) (message string, failing bool) {
	for _, c := range []metav1.Condition{created(vm), running(vm)} {
		if c.ObservedGeneration >= generation && slices.Contains(failures, c.Reason) {
			return c.Reason + ": " + c.Message, true
		}
	}
	return "", false
}

// describe describes the state of a virtual machine, or the progress of an operation.
func describe(vm *limav1alpha1.LimaVM) string {
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
