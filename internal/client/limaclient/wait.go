// SPDX-License-Identifier: Apache-2.0

package limaclient

import (
	"context"
	"errors"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/follow"
)

// takenLimit is how long the controller may take to look at a request that is no
// new generation, before what it said of an earlier one is taken for its answer:
// without limactl, for example, it has nothing else to say.
const takenLimit = 10 * time.Second

// RejectedError says that a template was not applied.
type RejectedError struct{ Reason string }

// Error implements error.
func (e *RejectedError) Error() string { return "the template is rejected: " + e.Reason }

// Request is what was asked of a virtual machine.
type Request struct {
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
func (r Request) Name() string { return r.key.Name }

func requestOf(vm *limav1alpha1.LimaVM) Request {
	return Request{key: client.ObjectKeyFromObject(vm), uid: vm.UID, generation: vm.Generation, running: vm.ShouldRun()}
}

func vms() client.ObjectList { return &limav1alpha1.LimaVMList{} }

// Wait waits until what was asked for is true. A message says what is not as it
// should be all the same, though the virtual machine runs. It ends at once if the
// LimaVM is stalled: waiting does not help then. An error says what is not true; at
// the end of ctx it is a [fault.Deadline], or that ctx was cancelled.
func (c *Client) Wait(ctx context.Context, r Request) (message string, err error) {
	if err := c.untilTaken(ctx, r); err != nil {
		return "", err
	}
	last := "nothing has happened yet"
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
			c.over(vm)
		}
		return done, err
	})
	return message, follow.Ended(ctx, err, func() error { return errors.New("not done in time: " + last) })
}

// over tells how much is over of what is being done with a virtual machine.
func (c *Client) over(vm *limav1alpha1.LimaVM) {
	switch {
	case c.Percent == nil:
	case vm == nil || vm.Status.Progress == nil:
		c.Percent(nil)
	default:
		c.Percent(vm.Status.Progress.Percent)
	}
}

// untilTaken waits until the controller has looked at a request, where that is to
// be known, and not too long.
func (c *Client) untilTaken(ctx context.Context, r Request) error {
	if !r.stale {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, takenLimit)
	defer cancel()
	err := c.Object(limited, vms, r.key, func(object client.Object) (bool, error) {
		vm, _ := object.(*limav1alpha1.LimaVM)
		if vm == nil || vm.UID != r.uid || r.taken(vm) {
			return true, nil
		}
		c.Say("%s: %s", r.key.Name, describe(vm))
		return false, nil
	})
	if ctx.Err() == nil && limited.Err() != nil {
		return nil
	}
	return follow.Ended(ctx, err, func() error { return errors.New("not done in time") })
}

// taken reports whether the controller has looked at the request.
func (r Request) taken(vm *limav1alpha1.LimaVM) bool {
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
func (r Request) applied(vm *limav1alpha1.LimaVM) bool {
	order, err := resourceversion.CompareResourceVersion(vm.Status.ObservedTemplateResourceVersion, r.template)
	return err == nil && order >= 0
}

// judge reports whether what was asked for is true of a LimaVM, which is nil where
// there is none.
func (r Request) judge(vm *limav1alpha1.LimaVM) (done bool, err error) {
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
		return false, &RejectedError{vm.Status.TemplateError}
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
func (r Request) done(vm *limav1alpha1.LimaVM, generation int64) bool {
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

// describe says how a virtual machine is, and how far what is being done with it.
func describe(vm *limav1alpha1.LimaVM) string {
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
