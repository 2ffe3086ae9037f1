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

// What the reasons of Settled=False mean for those who wait.
var (
	// hopeless are those that no waiting will change.
	hopeless = []string{
		appv1alpha1.ReasonTemplateRejected,
		containersv1alpha1.ReasonUnsupported,
		containersv1alpha1.ReasonConflict,
		containersv1alpha1.ReasonEngineChanged,
		containersv1alpha1.ReasonWrongProtocol,
	}
	// failed are those that tell of a failure which the daemon expects to be one
	// again, though it goes on trying.
	failed = []string{limav1alpha1.ReasonCreateFailed, limav1alpha1.ReasonCrashLoop}
	// failing are those after which it tries again, and may have better luck.
	failing = []string{limav1alpha1.ReasonStartFailed, limav1alpha1.ReasonStopFailed, containersv1alpha1.ReasonControllerGone}
)

// failurePatience is how long a failure must stand that may be over: the daemon
// tries again within 8 s, or looks within 5 s whether anything has changed.
const failurePatience = 12 * time.Second

// Wish is what was asked of the App.
type Wish struct {
	// Generation is that of the spec.
	Generation int64
	// Reset is the request for a new virtual machine; empty for none.
	Reset string
}

// Settle waits until everything that was asked for is true, and returns what the
// App says of it. An error says what is not; at the end of ctx it is a
// [fault.Deadline], or that ctx was cancelled.
func (c *Client) Settle(ctx context.Context, wish Wish) (message string, err error) {
	patient, giveUp := context.WithCancelCause(ctx)
	w := &settling{wish: wish, tell: func(message string) { c.progress("%s", message) }, last: "nothing has happened yet", giveUp: giveUp}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer giveUp(nil)
	if c.Percent != nil {
		w.machine = func(namespace string) { watching.Go(func() { c.followMachine(patient, namespace) }) }
	}
	err = c.follow(patient, apps, key, w.look)
	w.stands()
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		err = context.Cause(patient)
	}
	return w.message, follow.Ended(ctx, err, func() error { return errors.New("not settled in time: " + w.last) })
}

// settling is a wait for the App to settle.
type settling struct {
	wish Wish
	tell func(message string)

	// machine begins to tell how far the virtual machine in a namespace is; nil where
	// the caller does not ask, or it has begun.
	machine func(namespace string)

	message string // of the end
	last    string // that was said of it
	looked  bool   // since it began
	// standing ends the wait, by giveUp, where nothing changes; nil for no failure.
	standing *time.Timer
	giveUp   context.CancelCauseFunc
}

// stands ends the patience with a failure that does not stand any more.
func (w *settling) stands() {
	if w.standing != nil {
		w.standing.Stop()
		w.standing = nil
	}
}

// look is a [follow.Each] for the App.
func (w *settling) look(object client.Object) (done bool, err error) {
	app, ok := object.(*appv1alpha1.App)
	if !ok {
		return false, errors.New("the App was deleted during the wait")
	}
	settled := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionSettled)
	// Of a controller that is gone no newer generation is to be expected.
	if settled == nil || settled.ObservedGeneration < w.wish.Generation && !liveness.IsMarked(settled) {
		return false, nil
	}
	w.stands()
	first := !w.looked
	w.looked = true
	w.last = describe(settled)
	if w.machine != nil && app.Spec.ContainerEngine.Endpoint == "" {
		w.machine(app.Spec.Namespace)
		w.machine = nil
	}
	// What is said may be of the virtual machine that is to go.
	pending := w.wish.Reset != "" && app.Status.ObservedResetRequest != w.wish.Reset
	switch {
	case settled.Status == metav1.ConditionTrue && pending:
		w.last = "the virtual machine is to be replaced"
	case settled.Status == metav1.ConditionTrue:
		w.message = settled.Message
		return true, nil
	case !pending && (slices.Contains(hopeless, settled.Reason) || slices.Contains(failed, settled.Reason) && !first):
		return false, errors.New(w.last)
	case slices.Contains(failing, settled.Reason), slices.Contains(failed, settled.Reason):
		failure := errors.New(w.last)
		w.standing = time.AfterFunc(failurePatience, func() { w.giveUp(failure) })
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

// followMachine tells how much is over of what the App's virtual machine is doing,
// until ctx ends.
func (c *Client) followMachine(ctx context.Context, namespace string) {
	quiet := &Client{Connect: c.Connect} // the wait itself tells of a connection that is lost
	_ = quiet.follow(ctx, vms, client.ObjectKey{Namespace: namespace, Name: appv1alpha1.VMName}, func(object client.Object) (bool, error) {
		var percent *int32
		if vm, ok := object.(*limav1alpha1.LimaVM); ok && vm.Status.Progress != nil {
			percent = vm.Status.Progress.Percent
		}
		c.Percent(percent)
		return false, nil
	})
}
