// SPDX-License-Identifier: Apache-2.0

// Package pull fulfils ImagePullRequests: each is an operation in the engine that
// it names, with its progress in the request's status.
package pull

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

const (
	// retryPause is the wait after a pull that a broken connection interrupted.
	retryPause = time.Second
	// mirrorPause is the wait for the mirror of a pulled image.
	mirrorPause = 50 * time.Millisecond
	// retention is how long a finished request is kept: at least a minute, as times in
	// objects have whole seconds.
	retention = time.Minute + time.Second
)

// Target is a connected engine.
type Target struct {
	Engine engine.Engine
	// Namespace is the engine's namespace.
	Namespace string
	// Connected ends with the session of the engine.
	Connected context.Context
	// Mirrored reports whether an image is mirrored, and queues it if it is not.
	Mirrored func(image engine.Key) bool
}

// Find returns the engine of a ContainerNamespace, if that engine is connected.
type Find func(namespace, containerNamespace string) (Target, bool)

// Setup adds the controller of ImagePullRequests to its host.
func Setup(host manager.Host, find Find) error {
	r := &reconciler{client: host.GetClient(), find: find, operations: operations{clock: clock.RealClock{}}}
	if err := host.Add(&r.operations); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(host).
		Named("imagepullrequest").
		WithOptions(controller.Options{NewQueue: manager.NewQueue}).
		For(&containersv1alpha1.ImagePullRequest{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&containersv1alpha1.ContainerEngine{}, handler.EnqueueRequestsFromMapFunc(r.neighbours),
			builder.WithPredicates(connectionChanged())).
		WatchesRawSource(r.operations.waker.Source()).
		Complete(manager.Patient(r))
}

// connectionChanged selects updates of ContainerEngines whose reason of Ready changes.
func connectionChanged() predicate.Predicate {
	reason := func(obj client.Object) string {
		e, ok := obj.(*containersv1alpha1.ContainerEngine)
		if !ok {
			return ""
		}
		ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
		if ready == nil {
			return ""
		}
		return ready.Reason
	}
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return reason(e.ObjectOld) != reason(e.ObjectNew) }}
}

type reconciler struct {
	client     client.Client
	find       Find
	operations operations
}

// neighbours returns the pull requests in an engine's namespace.
func (r *reconciler) neighbours(ctx context.Context, obj client.Object) []reconcile.Request {
	var all containersv1alpha1.ImagePullRequestList
	if err := r.client.List(ctx, &all, client.InNamespace(obj.GetNamespace())); err != nil {
		return nil // a cache that has synced never fails
	}
	requests := make([]reconcile.Request, len(all.Items))
	for i := range all.Items {
		requests[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])}
	}
	return requests
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	pull := &containersv1alpha1.ImagePullRequest{}
	if err := r.client.Get(ctx, request.NamespacedName, pull); err != nil {
		if apierrors.IsNotFound(err) {
			r.operations.end(request)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if pull.DeletionTimestamp != nil {
		r.operations.end(request)
		return reconcile.Result{}, nil
	}
	if ended(pull) {
		r.operations.end(request)
		return r.expire(ctx, pull)
	}
	before := pull.DeepCopy()
	pull.Status.ObservedGeneration = pull.Generation
	result := r.advance(request, pull)
	return result, manager.PatchStatus(ctx, r.client, before, pull)
}

func ended(pull *containersv1alpha1.ImagePullRequest) bool {
	return apimeta.IsStatusConditionTrue(pull.Status.Conditions, containersv1alpha1.ConditionComplete) ||
		apimeta.IsStatusConditionTrue(pull.Status.Conditions, containersv1alpha1.ConditionFailed)
}

// expire deletes a finished request after its retention.
func (r *reconciler) expire(ctx context.Context, pull *containersv1alpha1.ImagePullRequest) (reconcile.Result, error) {
	if at := pull.Status.CompletedAt; at != nil {
		if at.After(r.operations.clock.Now()) { // the clock was ahead
			before := pull.DeepCopy()
			pull.Status.CompletedAt = r.now()
			return reconcile.Result{RequeueAfter: retention}, manager.PatchStatus(ctx, r.client, before, pull)
		}
		if left := at.Add(retention).Sub(r.operations.clock.Now()); left > 0 {
			return reconcile.Result{RequeueAfter: left}, nil
		}
	}
	return reconcile.Result{}, client.IgnoreNotFound(r.client.Delete(ctx, pull, client.Preconditions{UID: ptr.To(pull.UID)}))
}

// advance starts the operation of a request, or writes its progress into the status.
func (r *reconciler) advance(request reconcile.Request, pull *containersv1alpha1.ImagePullRequest) reconcile.Result {
	op := r.operations.get(request, pull.UID)
	if op == nil {
		target, ok := r.find(pull.Namespace, pull.Spec.Namespace)
		if !ok {
			progressing(pull, containersv1alpha1.ReasonWaiting,
				fmt.Sprintf("no connected engine has the ContainerNamespace %q in namespace %q", pull.Spec.Namespace, pull.Namespace))
			return reconcile.Result{}
		}
		puller, ok := target.Engine.(engine.Puller)
		if !ok {
			r.finish(pull, errors.New("this engine can't pull images"))
			return reconcile.Result{}
		}
		pull.Status.StartedAt = r.now()
		pull.Status.Progress = nil
		progressing(pull, containersv1alpha1.ReasonPulling, "pulling "+pull.Spec.RepoTag)
		r.operations.start(request, pull.UID, target, puller, pull.Spec.RepoTag)
		return reconcile.Result{}
	}
	state := op.State()
	if state.Done && state.Err == nil && !op.isMirrored(state.Result) {
		return reconcile.Result{RequeueAfter: mirrorPause}
	}
	if state.Progress != nil {
		pull.Status.Progress = state.Progress
	}
	switch {
	case !state.Done:
	case errors.Is(state.Err, engine.ErrRefused):
		r.finish(pull, state.Err)
	case state.Err != nil:
		r.operations.end(request)
		progressing(pull, containersv1alpha1.ReasonRetrying, state.Err.Error()+"; retrying")
		return reconcile.Result{RequeueAfter: retryPause}
	default:
		r.finish(pull, nil)
	}
	return reconcile.Result{}
}

func (r *reconciler) now() *metav1.Time {
	return &metav1.Time{Time: r.operations.clock.Now().Truncate(time.Second)}
}

// progressing sets the conditions of an unfinished request.
func progressing(pull *containersv1alpha1.ImagePullRequest, reason, message string) {
	setConditions(pull, metav1.ConditionFalse, metav1.ConditionFalse, reason, message)
}

// finish finishes the request; err is why it failed, or nil.
func (r *reconciler) finish(pull *containersv1alpha1.ImagePullRequest, err error) {
	pull.Status.CompletedAt = r.now()
	if err != nil {
		setConditions(pull, metav1.ConditionFalse, metav1.ConditionTrue, containersv1alpha1.ReasonPullFailed, err.Error())
		return
	}
	if pull.Status.Progress == nil { // the engine had all layers
		pull.Status.Progress = &containersv1alpha1.PullProgress{}
	}
	pull.Status.Progress.Percent = 100
	pull.Status.Progress.CurrentBytes = pull.Status.Progress.TotalBytes
	setConditions(pull, metav1.ConditionTrue, metav1.ConditionFalse, containersv1alpha1.ReasonPulled, pull.Spec.RepoTag+" is pulled")
}

func setConditions(pull *containersv1alpha1.ImagePullRequest, complete, failed metav1.ConditionStatus, reason, message string) {
	for kind, status := range map[string]metav1.ConditionStatus{
		containersv1alpha1.ConditionComplete: complete,
		containersv1alpha1.ConditionFailed:   failed,
	} {
		bounded.Set(&pull.Status.Conditions, metav1.Condition{
			Type:               kind,
			Status:             status,
			ObservedGeneration: pull.Generation,
			Reason:             reason,
			Message:            message,
		})
	}
}
