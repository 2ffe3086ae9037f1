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

// AppRequest is what was asked of the App.
type AppRequest struct {
	// Generation is that of the spec.
	Generation int64
	// Reset is the request for a new virtual machine; empty for none.
	Reset string
	// stale says that the App was stalled before the request, which is no new
	// generation: something outside may have changed since the controller looked.
	stale bool
}

// SettleApp waits until everything that was asked for is true, and returns what the
// App says of it. It ends at once if the App is stalled: waiting does not help then.
// An error says what is not true; at the end of ctx it is a [fault.Deadline], or that
// ctx was cancelled.
func (s *Session) SettleApp(ctx context.Context, request AppRequest) (message string, err error) {
	following, stop := context.WithCancel(ctx)
	w := &settling{request: request, tell: func(message string) { s.say("%s", message) }, last: "nothing has happened yet"}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	if s.Percent != nil {
		w.machine = func(namespace string) { watching.Go(func() { s.followAppVM(following, namespace) }) }
	}
	if request.stale {
		err = s.waitAtMost(ctx, takenLimit, apps, appKey, w.lookAgain)
	}
	if err == nil {
		err = s.wait(ctx, apps, appKey, w.look)
	}
	return w.message, ended(ctx, err, func() error { return errors.New("not settled in time: " + w.last) })
}

// settling is a wait for the App to settle.
type settling struct {
	request AppRequest
	tell    func(message string)

	// machine begins to tell how far the virtual machine in a namespace is; nil where
	// the caller does not ask, or it has begun.
	machine func(namespace string)

	message string // of the end
	last    string // that was said of it
}

// lookAgain waits until an App is not stalled, of which that was said before.
func (w *settling) lookAgain(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return true, nil
	}
	stalled := stalledSince(app, w.request.Generation)
	if stalled == nil {
		return true, nil
	}
	w.last = describe(stalled)
	w.tell(w.last)
	return false, nil
}

// stalledSince returns the condition that says that an App of a generation, or a newer
// one, is stalled; nil for none.
func stalledSince(app *appv1alpha1.App, generation int64) *metav1.Condition {
	stalled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionStalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.ObservedGeneration < generation {
		return nil
	}
	return stalled
}

// look is an [each] for the App.
func (w *settling) look(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return false, errors.New("the App was deleted during the wait")
	}
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	// Of a controller that is gone no newer generation is to be expected.
	if settled == nil || settled.ObservedGeneration < w.request.Generation && !liveness.IsMarked(settled) {
		return false, nil
	}
	w.last = describe(settled)
	if w.machine != nil && app.Spec.ContainerEngine.Endpoint == "" {
		w.machine(app.Spec.Namespace)
		w.machine = nil
	}
	// What is said may be of the virtual machine that is to go.
	pending := w.request.Reset != "" && app.Status.ObservedResetRequest != w.request.Reset
	stalled := stalledSince(app, w.request.Generation)
	switch {
	case settled.Status == metav1.ConditionTrue && pending:
		w.last = "the virtual machine is to be replaced"
	case settled.Status == metav1.ConditionTrue:
		w.message = settled.Message
		return true, nil
	case !pending && stalled != nil:
		return false, errors.New(describe(stalled))
	}
	w.tell(w.last)
	return false, nil
}

func describe(condition *metav1.Condition) string {
	if condition.Message == "" {
		return condition.Reason
	}
	return condition.Reason + ": " + condition.Message
}

// followAppVM tells how much is over of what the App's virtual machine is doing,
// until ctx ends.
func (s *Session) followAppVM(ctx context.Context, namespace string) {
	quiet := &Session{Connect: s.API, Clock: s.Clock} // the wait itself tells of a connection that is lost
	_ = quiet.wait(ctx, vms, client.ObjectKey{Namespace: namespace, Name: appv1alpha1.VMName}, func(object client.Object) (bool, error) {
		var percent *int32
		if vm, ok := object.(*limav1alpha1.LimaVM); ok && vm.Status.Progress != nil {
			percent = vm.Status.Progress.Percent
		}
		s.Percent(percent)
		return false, nil
	})
}
