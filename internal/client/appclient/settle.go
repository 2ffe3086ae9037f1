// SPDX-License-Identifier: Apache-2.0

package appclient

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/follow"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// The reasons of Settled=False, by their meaning for a wait.
var (
	// permanent reasons do not change without the user.
	permanent = []string{
		appv1alpha1.ReasonTemplateRejected,
		containersv1alpha1.ReasonUnsupported,
		containersv1alpha1.ReasonConflict,
		containersv1alpha1.ReasonEngineChanged,
	}
	// failed reasons are failures that the daemon retries, but expects to repeat.
	failed = []string{limav1alpha1.ReasonCreateFailed, limav1alpha1.ReasonCrashLoop}
	// failing reasons are failures that a retry may overcome.
	failing = []string{limav1alpha1.ReasonStartFailed, limav1alpha1.ReasonStopFailed, containersv1alpha1.ReasonControllerGone}
)

// failurePatience is how long a failure must persist to end the wait: the daemon retries
// within 8 s, or checks for changes within 5 s.
const failurePatience = 12 * time.Second

// Desired is the desired state of the App.
type Desired struct {
	// Generation is the generation of the spec.
	Generation int64
	// Reset is the request for a new virtual machine; empty for none.
	Reset string
}

// Settle waits until the App has settled in the desired state, and returns the message of
// its condition. The error is the failure, a [fault.Deadline] if ctx times out, or ctx's
// error if it is cancelled.
func (c *Client) Settle(ctx context.Context, desired Desired) (message string, err error) {
	patient, giveUp := context.WithCancelCause(ctx)
	w := &settling{desired: desired, report: func(message string) { c.progress("%s", message) }, last: "no progress yet", giveUp: giveUp}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer giveUp(nil)
	if c.Percent != nil {
		w.machine = func(namespace string) { watching.Go(func() { c.followMachine(patient, namespace) }) }
	}
	err = c.follow(patient, apps, key, w.observe)
	w.stopTimer()
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		err = context.Cause(patient)
	}
	return w.message, follow.Ended(ctx, err, func() error { return errors.New("not settled in time: " + w.last) })
}

// settling is a wait for the App to settle.
type settling struct {
	desired Desired
	report  func(message string)

	// machine starts reporting the progress of the virtual machine in a namespace; nil
	// if it is not wanted or has been called.
	machine func(namespace string)

	message  string // of the settled App
	last     string // the latest message
	observed bool   // a condition of the desired generation was observed
	// failure calls giveUp if a failure persists; nil if there is no failure.
	failure *time.Timer
	giveUp  context.CancelCauseFunc
}

// stopTimer stops the timer of a failure that has ended.
func (w *settling) stopTimer() {
	if w.failure != nil {
		w.failure.Stop()
		w.failure = nil
	}
}

// observe is a [follow.Each] for the App.
func (w *settling) observe(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return false, errors.New("the App was deleted during the wait")
	}
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	// A controller that does not run will not observe the generation.
	if settled == nil || settled.ObservedGeneration < w.desired.Generation && !liveness.IsMarked(settled) {
		return false, nil
	}
	w.stopTimer()
	first := !w.observed
	w.observed = true
	w.last = describe(settled)
	if w.machine != nil && app.Spec.ContainerEngine.Endpoint == "" {
		w.machine(app.Spec.Namespace)
		w.machine = nil
	}
	// The condition may still describe the old virtual machine.
	pending := w.desired.Reset != "" && app.Status.ObservedResetRequest != w.desired.Reset
	switch {
	case settled.Status == metav1.ConditionTrue && pending:
		w.last = "waiting for the replacement of the virtual machine"
	case settled.Status == metav1.ConditionTrue:
		w.message = settled.Message
		return true, nil
	case !pending && (slices.Contains(permanent, settled.Reason) || slices.Contains(failed, settled.Reason) && !first):
		return false, errors.New(w.last)
	case slices.Contains(failing, settled.Reason), slices.Contains(failed, settled.Reason):
		failure := errors.New(w.last)
		w.failure = time.AfterFunc(failurePatience, func() { w.giveUp(failure) })
	}
	w.report(w.last)
	return false, nil
}

func describe(condition *metav1.Condition) string {
	if condition.Message == "" {
		return condition.Reason
	}
	return condition.Reason + ": " + condition.Message
}

// followMachine reports the progress of the App's virtual machine until ctx ends.
func (c *Client) followMachine(ctx context.Context, namespace string) {
	quiet := &Client{Connect: c.Connect} // Settle itself reports a lost connection
	_ = quiet.follow(ctx, vms, client.ObjectKey{Namespace: namespace, Name: appv1alpha1.VMName}, func(object client.Object) (bool, error) {
		var percent *int32
		if vm, ok := object.(*limav1alpha1.LimaVM); ok && vm.Status.Progress != nil {
			percent = vm.Status.Progress.Percent
		}
		c.Percent(percent)
		return false, nil
	})
}
