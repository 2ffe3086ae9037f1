// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/background"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror/pull"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/mirror/streams"
)

// setup adds the controller of ContainerEngines to its host. The gate reads from its
// sessions which objects are in use.
func setup(host manager.Host, gate *gate) error {
	r := &reconciler{
		client:   host.GetClient(),
		reader:   host.GetAPIReader(),
		events:   bounded.Events(host.GetEventRecorderFor("engine")), //nolint:staticcheck // RDD serves core Events only
		watch:    mirrorWatch{host.GetCache()},
		open:     gate.drivers.Open,
		clock:    clock.RealClock{},
		load:     newLoad(clock.RealClock{}),
		log:      host.Log,
		sessions: map[types.UID]*running{},
	}
	var err error
	if r.metadata, err = metadata.NewForConfigAndClient(host.GetConfig(), host.GetHTTPClient()); err != nil {
		return err
	}
	if r.metrics, err = newMetrics(host.Metrics); err != nil {
		return err
	}
	gate.sessions.Store(r)
	if err := host.Metrics.Register(r); err != nil {
		return err
	}
	if err := host.Add(r); err != nil {
		return err
	}
	if err := pull.Setup(host, r.puller); err != nil {
		return err
	}
	host.Serve("logs", streams.Logs(r.container))
	host.Serve("exec", streams.Exec(r.container))
	return ctrl.NewControllerManagedBy(host).
		Named("engine").
		WithOptions(controller.Options{NewQueue: manager.NewQueue, MaxConcurrentReconciles: reconcilers}).
		// All in the namespace: one may wait for the deletion of another.
		Watches(&containersv1alpha1.ContainerEngine{}, handler.EnqueueRequestsFromMapFunc(r.neighbours),
			builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, liveness.WhenMarked(engineConditions)))).
		WatchesRawSource(r.waker.Source()).
		Complete(manager.Patient(r))
}

func engineConditions(obj client.Object) []metav1.Condition {
	if object, ok := obj.(*containersv1alpha1.ContainerEngine); ok {
		return object.Status.Conditions
	}
	return nil
}

// reconciler starts and stops the sessions of ContainerEngines, and writes their
// states. It is a runnable of its manager, and stops the sessions when that stops.
type reconciler struct {
	client   client.Client
	reader   client.Reader
	metadata metadata.Interface
	events   record.EventRecorder
	watch    mirrorWatch
	open     engine.Open
	clock    clock.WithTickerAndDelayedExecution
	log      *slog.Logger
	metrics  *metrics
	load     *load // of all sessions

	waker background.Waker

	mu       sync.Mutex
	sessions map[types.UID]*running // guarded by mu
	stopped  bool                   // guarded by mu; no session may start
}

func (r *reconciler) wake(request reconcile.Request) func() {
	return func() { r.waker.Wake(request) }
}

// Start implements manager.Runnable: it waits until the manager stops, and then stops
// all sessions. The mirrors are kept.
func (r *reconciler) Start(ctx context.Context) error {
	<-ctx.Done()
	r.endAll()
	return nil
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (_ reconcile.Result, err error) {
	var e containersv1alpha1.ContainerEngine
	// Not from the cache, which may be older than this controller's last write: a
	// state that returns to its earlier value would not be written.
	found := r.reader.Get(ctx, request.NamespacedName, &e)
	if client.IgnoreNotFound(found) != nil {
		return reconcile.Result{}, found
	}
	if done, err := r.forgetOthers(ctx, request.NamespacedName, e.UID); err != nil || !done || found != nil {
		return reconcile.Result{}, err // the end of the removal wakes the reconciler
	}
	// The finalizer keeps it until its mirrors are removed.
	if err := finalizer.Ensure(ctx, r.client, &e, finalizer.Cleanup); err != nil {
		return reconcile.Result{}, err
	}
	before := e.DeepCopy()
	defer func() { err = errors.Join(err, manager.PatchStatus(ctx, r.client, before, &e)) }()

	rival, err := r.rival(ctx, &e)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case rival != "":
		return reconcile.Result{}, r.yield(ctx, &e, rival)
	case e.ShouldRun():
		return reconcile.Result{}, r.run(ctx, &e)
	}
	return reconcile.Result{}, r.stop(ctx, &e)
}

// neighbours returns the requests for a ContainerEngine and all others in its
// namespace.
func (r *reconciler) neighbours(ctx context.Context, obj client.Object) []reconcile.Request {
	requests := []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(obj)}}
	var all containersv1alpha1.ContainerEngineList
	if err := r.client.List(ctx, &all, client.InNamespace(obj.GetNamespace())); err != nil {
		r.log.Error("listing the ContainerEngines failed", "error", err) // a cache that has synced never fails
		return requests
	}
	for i := range all.Items {
		if all.Items[i].Name != obj.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}

// report sets the status to the state of a session. acted is the generation that the
// controller acted on.
func report(e *containersv1alpha1.ContainerEngine, acted int64, state State) {
	if state.Reason == containersv1alpha1.ReasonStopped && acted == e.Generation {
		e.Status = containersv1alpha1.ContainerEngineStatus{Conditions: e.Status.Conditions}
	}
	status := &e.Status
	status.ObservedGeneration = acted
	if acted == e.Generation {
		status.ObservedReconnectRequest = e.Annotations[containersv1alpha1.ReconnectAnnotation]
	}
	status.Containers = engine.Clamp32(int64(state.Counts[engine.KindContainer]))
	status.Images = engine.Clamp32(int64(state.Counts[engine.KindImage]))
	status.Volumes = engine.Clamp32(int64(state.Counts[engine.KindVolume]))
	status.Networks = engine.Clamp32(int64(state.Counts[engine.KindNetwork]))
	if info := state.Info; info != nil {
		setInfo(status, info)
		status.Endpoint = e.Spec.Endpoint
	}
	if !state.Synced.IsZero() {
		status.LastSync = &metav1.Time{Time: state.Synced.Truncate(time.Second)}
	}
	ready := metav1.ConditionFalse
	if state.Reason == containersv1alpha1.ReasonConnected {
		ready = metav1.ConditionTrue
	}
	bounded.Set(&status.Conditions, metav1.Condition{
		Type:               containersv1alpha1.ConditionReady,
		Status:             ready,
		ObservedGeneration: acted,
		Reason:             state.Reason,
		Message:            state.Message + state.Problems.suffix(),
	})
	status.Failed = engine.Clamp32(int64(state.Problems.Count))
	bounded.Set(&status.Conditions, completeness(acted, state))
}

// completeness returns the condition Complete. It is Unknown without a connection.
func completeness(acted int64, state State) metav1.Condition {
	c := metav1.Condition{
		Type:               containersv1alpha1.ConditionComplete,
		Status:             metav1.ConditionUnknown,
		ObservedGeneration: acted,
		Reason:             state.Reason,
		Message:            "the engine is not connected",
	}
	switch {
	case state.Problems.Count > 0:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, state.Problems.Reason, state.Problems.message()
	case state.Reason == containersv1alpha1.ReasonConnected:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, containersv1alpha1.ReasonComplete, state.Problems.message()
	}
	return c
}

func setInfo(status *containersv1alpha1.ContainerEngineStatus, info *engine.Info) {
	status.EngineID = info.ID
	status.HostName = info.HostName
	status.RootDir = info.RootDir
	status.Version = info.Version
	status.APIVersion = info.APIVersion
	status.OS = info.OS
	status.Architecture = info.Architecture
	status.CPUs = info.CPUs
	status.Memory = resource.NewQuantity(info.Memory, resource.BinarySI)
}
