// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"sync"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// AppRequest is a desired state of the App.
type AppRequest struct {
	// Generation is the generation of the spec.
	Generation int64
	// Reset is the request for a new virtual machine; empty for none.
	Reset string
	// stale is whether the App was stalled before a request without a new generation:
	// something outside may have changed since the controller checked.
	stale bool
}

// SettleApp waits until the App has settled in the desired state, and returns the message of
// its condition. It ends at once if the App is stalled: waiting does not help then. The error
// is the failure, a [fault.Deadline] if ctx times out, or ctx's error if it is cancelled.
func (s *Session) SettleApp(ctx context.Context, request AppRequest) (message string, err error) {
	following, stop := context.WithCancel(ctx)
	w := &settling{request: request, report: func(message string) { s.say("%s", message) }, last: "no progress yet"}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	if s.Percent != nil {
		w.machine = func(namespace string) { watching.Go(func() { s.followAppVM(following, namespace) }) }
	}
	if request.stale {
		err = s.waitAtMost(ctx, observeLimit, apps, appKey, w.observeStalled)
	}
	if err == nil {
		err = s.Wait(ctx, apps, appKey, w.observe)
	}
	return w.message, ended(ctx, err, func() error { return errors.New("not settled in time: " + w.last) })
}

// settling is a wait for the App to settle.
type settling struct {
	request AppRequest
	report  func(message string)

	// machine starts reporting the progress of the virtual machine in a namespace; nil
	// if it is not wanted or has been called.
	machine func(namespace string)

	message string // of the settled App
	last    string // the latest message
}

// observeStalled is an [each] for an App that was stalled before the request: the wait is
// done when it no longer is.
func (w *settling) observeStalled(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return true, nil
	}
	stalled := stalledSince(app, w.request.Generation)
	if stalled == nil {
		return true, nil
	}
	w.last = describe(stalled)
	w.report(w.last)
	return false, nil
}

// stalledSince returns the condition Stalled of an App, if it is True for a generation or a
// newer one; nil otherwise.
func stalledSince(app *appv1alpha1.App, generation int64) *metav1.Condition {
	stalled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.ObservedGeneration < generation {
		return nil
	}
	return stalled
}

// observe is an [each] for the App.
func (w *settling) observe(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return false, errors.New("the App was deleted during the wait")
	}
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	// A controller that does not run will not observe the generation.
	if settled == nil || settled.ObservedGeneration < w.request.Generation && !liveness.IsMarked(settled) {
		return false, nil
	}
	w.last = describe(settled)
	if w.machine != nil && app.Spec.ContainerEngine.Endpoint == "" {
		w.machine(app.Spec.Namespace)
		w.machine = nil
	}
	// The condition may still describe the old virtual machine.
	pending := w.request.Reset != "" && app.Status.ObservedResetRequest != w.request.Reset
	stalled := stalledSince(app, w.request.Generation)
	switch {
	case settled.Status == metav1.ConditionTrue && pending:
		w.last = "waiting for the replacement of the virtual machine"
	case settled.Status == metav1.ConditionTrue:
		w.message = settled.Message
		return true, nil
	case !pending && stalled != nil:
		return false, errors.New(describe(stalled))
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

// followAppVM reports the progress of the App's virtual machine until ctx ends.
func (s *Session) followAppVM(ctx context.Context, namespace string) {
	quiet := &Session{Connect: s.API, Clock: s.Clock} // SettleApp itself reports a lost connection
	_ = quiet.Wait(ctx, vms, client.ObjectKey{Namespace: namespace, Name: appv1alpha1.VMName}, func(object client.Object) (bool, error) {
		var percent *int32
		if vm, ok := object.(*limav1alpha1.LimaVM); ok && vm.Status.Progress != nil {
			percent = vm.Status.Progress.Percent
		}
		s.Percent(percent)
		return false, nil
	})
}
