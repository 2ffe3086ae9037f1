// SPDX-License-Identifier: Apache-2.0

// Package mirror keeps Kubernetes objects equal to what is in container
// engines: Container, Image, Volume and ContainerNamespace objects for each
// ContainerEngine.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// CleanupFinalizer is on every ContainerEngine: it goes when its mirrors have.
const CleanupFinalizer = "rdd.rancherdesktop.io/cleanup"

// Open connects to the engine that a ContainerEngine names. An error says that
// it never can: the type or the endpoint is not supported.
type Open func(spec containersv1alpha1.ContainerEngineSpec) (engine.Engine, error)

// Setup adds the controller of ContainerEngines to a manager.
func Setup(mgr ctrl.Manager, open Open, log *slog.Logger) error {
	r := &reconciler{
		client:   mgr.GetClient(),
		reader:   mgr.GetAPIReader(),
		events:   mgr.GetEventRecorderFor("engine"), //nolint:staticcheck // RDD serves core Events only
		watch:    mirrorWatch{mgr.GetCache()},
		open:     open,
		clock:    clock.RealClock{},
		log:      log,
		sessions: map[types.UID]*running{},
	}
	if err := mgr.Add(r); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("engine").
		// All of a namespace, as one that goes may be what another one waits for.
		Watches(&containersv1alpha1.ContainerEngine{}, handler.EnqueueRequestsFromMapFunc(r.neighbours),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(source.Func(r.takeQueue)).
		Complete(r)
}

// reconciler starts and stops sessions as ContainerEngines say, and writes what
// the sessions report. It is a runnable of its manager and ends them with it.
type reconciler struct {
	client client.Client
	reader client.Reader
	events record.EventRecorder
	watch  mirrorWatch
	open   Open
	clock  clock.WithTicker
	log    *slog.Logger

	mu       sync.Mutex
	queue    workqueue.TypedRateLimitingInterface[reconcile.Request] // guarded by mu
	sessions map[types.UID]*running                                  // guarded by mu
	stopped  bool                                                    // guarded by mu; no session starts any more
}

// running is what is under way for one ContainerEngine: a session, or the
// removal of the mirrors.
type running struct {
	endpoint string
	resync   time.Duration

	session *Session      // nil while mirrors are removed
	failure error         // why there is no session
	purge   *purgeProcess // nil while there is a session
}

// purgeProcess is the removal of all mirrors of an owner, in the background.
type purgeProcess struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
}

// state returns what is to be said of the engine. There must be no purge.
func (run *running) state() State {
	if run.failure != nil {
		return State{Reason: containersv1alpha1.ReasonUnsupported, Message: run.failure.Error()}
	}
	return run.session.State()
}

func (p *purgeProcess) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// takeQueue is a [source.Func]: sessions wake the reconciler through the queue.
func (r *reconciler) takeQueue(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = queue
	return nil
}

func (r *reconciler) wake(request reconcile.Request) func() {
	return func() {
		r.mu.Lock()
		queue := r.queue
		r.mu.Unlock()
		if queue != nil {
			queue.Add(request)
		}
	}
}

// Start implements manager.Runnable: it waits for the end of the manager, and
// then ends all sessions. The mirrors stay.
func (r *reconciler) Start(ctx context.Context) error {
	<-ctx.Done()
	r.mu.Lock()
	r.stopped = true
	sessions := r.sessions
	r.sessions = map[types.UID]*running{}
	r.mu.Unlock()
	var wg sync.WaitGroup
	for _, run := range sessions {
		wg.Go(run.stop)
	}
	wg.Wait()
	return nil
}

func (run *running) stop() {
	if run.session != nil {
		run.session.Stop()
	}
	if run.purge != nil {
		run.purge.cancel()
		<-run.purge.done
	}
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (_ reconcile.Result, err error) {
	var e containersv1alpha1.ContainerEngine
	if err := r.client.Get(ctx, request.NamespacedName, &e); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if e.DeletionTimestamp == nil && controllerutil.AddFinalizer(&e, CleanupFinalizer) {
		if err := r.client.Update(ctx, &e); err != nil {
			return reconcile.Result{}, err
		}
	}
	before := e.DeepCopy()
	defer func() { err = errors.Join(err, r.patchStatus(ctx, before, &e)) }()

	rival, err := r.rival(ctx, &e)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case rival != "":
		r.end(&e)
		report(&e, e.Generation, State{
			Reason:  containersv1alpha1.ReasonConflict,
			Message: fmt.Sprintf("ContainerEngine %s of this namespace mirrors %s already", rival, e.Spec.Endpoint),
		})
		return reconcile.Result{}, nil
	case e.ShouldRun():
		return reconcile.Result{}, r.run(ctx, &e)
	}
	return reconcile.Result{}, r.stop(ctx, &e)
}

// patchStatus writes the status where it was changed.
func (r *reconciler) patchStatus(ctx context.Context, before, e *containersv1alpha1.ContainerEngine) error {
	if apiequality.Semantic.DeepEqual(before.Status, e.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.client.Status().Patch(ctx, e, client.MergeFrom(before)))
}

// neighbours returns a ContainerEngine and all others in its namespace.
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

// rival returns the name of an older ContainerEngine in the namespace with the
// same endpoint.
func (r *reconciler) rival(ctx context.Context, e *containersv1alpha1.ContainerEngine) (string, error) {
	if !e.ShouldRun() {
		return "", nil
	}
	var all containersv1alpha1.ContainerEngineList
	if err := r.client.List(ctx, &all, client.InNamespace(e.Namespace)); err != nil {
		return "", err
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != e.UID && other.Spec.Endpoint == e.Spec.Endpoint && other.ShouldRun() && older(other, e) {
			return other.Name, nil
		}
	}
	return "", nil
}

func older(a, b *containersv1alpha1.ContainerEngine) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}

// end stops what is under way for a ContainerEngine.
func (r *reconciler) end(e *containersv1alpha1.ContainerEngine) {
	r.mu.Lock()
	run := r.sessions[e.UID]
	delete(r.sessions, e.UID)
	r.mu.Unlock()
	if run != nil {
		run.stop()
	}
}

// run makes sure that a session runs as the spec says, and reports its state.
func (r *reconciler) run(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	if r.moved(e) {
		if forgotten, err := r.forgetMoved(ctx, e); err != nil || !forgotten {
			return err
		}
	}
	run := r.current(e)
	if run != nil && (run.purge != nil || run.endpoint != e.Spec.Endpoint || run.resync != e.Resync()) {
		r.end(e)
		run = nil
	}
	if run == nil {
		run = r.begin(e)
	}
	if run != nil { // else the manager ends
		report(e, e.Generation, run.state())
	}
	return nil
}

// moved reports whether the mirrors are of an engine at another endpoint. That
// one is most often another engine too, and then they are in the way. What runs
// tells it before the status, which may come from a cache that is behind.
func (r *reconciler) moved(e *containersv1alpha1.ContainerEngine) bool {
	if run := r.current(e); run != nil && run.purge == nil && run.endpoint == e.Spec.Endpoint {
		return false
	}
	return e.Status.EngineID != "" && e.Status.Endpoint != e.Spec.Endpoint
}

func (r *reconciler) current(e *containersv1alpha1.ContainerEngine) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[e.UID]
}

func (r *reconciler) begin(e *containersv1alpha1.ContainerEngine) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	run := &running{endpoint: e.Spec.Endpoint, resync: e.Resync()}
	r.sessions[e.UID] = run
	var connection engine.Engine
	if connection, run.failure = r.open(e.Spec); run.failure != nil {
		return run
	}
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)}
	run.session = startSession(sessionConfig{
		owner:   newOwner(e),
		engine:  connection,
		knownID: e.Status.EngineID,
		resync:  run.resync,
		client:  r.client,
		reader:  r.reader,
		events:  r.events,
		watch:   r.watch,
		clock:   r.clock,
		log:     r.log.With("engine", request.String()),
		changed: r.wake(request),
	})
	return run
}

// forgetMoved removes the mirrors of the engine at the endpoint before, and
// then its ID. It reports whether that is done.
func (r *reconciler) forgetMoved(ctx context.Context, e *containersv1alpha1.ContainerEngine) (bool, error) {
	done, err := r.purged(ctx, e)
	if err != nil || !done {
		report(e, e.Status.ObservedGeneration, State{
			Reason:  containersv1alpha1.ReasonConnecting,
			Message: "removing the mirrors of " + e.Status.Endpoint + " first",
		})
		return false, err
	}
	r.end(e)
	e.Status = containersv1alpha1.ContainerEngineStatus{Conditions: e.Status.Conditions}
	return true, nil
}

// stop ends the session, removes the mirrors, and, for a ContainerEngine that
// is deleted, lets it go.
func (r *reconciler) stop(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	done, err := r.purged(ctx, e)
	state := State{Reason: containersv1alpha1.ReasonStopped, Message: "stopped"}
	if err != nil || !done {
		state.Message = "removing the mirrors"
		if err != nil {
			state.Message += ": " + err.Error()
		}
		report(e, e.Status.ObservedGeneration, state)
		return err
	}
	r.end(e)
	report(e, e.Generation, state)
	if e.DeletionTimestamp != nil {
		return r.letGo(ctx, e)
	}
	return nil
}

func (r *reconciler) letGo(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	released := e.DeepCopy()
	if !controllerutil.RemoveFinalizer(released, CleanupFinalizer) {
		return nil
	}
	return client.IgnoreNotFound(r.client.Patch(ctx, released, client.MergeFrom(e)))
}

// purged starts the removal of all mirrors, which may take a while, and
// reports whether it is complete.
func (r *reconciler) purged(ctx context.Context, e *containersv1alpha1.ContainerEngine) (bool, error) {
	run := r.current(e)
	if run != nil && run.purge == nil {
		r.end(e)
		run = nil
	}
	if run == nil {
		r.startPurge(ctx, e)
		return false, nil
	}
	if !run.purge.finished() {
		return false, nil
	}
	if err := run.purge.err; err != nil {
		r.end(e) // the queue tries again
		return false, err
	}
	return true, nil
}

func (r *reconciler) startPurge(ctx context.Context, e *containersv1alpha1.ContainerEngine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &purgeProcess{cancel: cancel, done: make(chan struct{})}
	r.sessions[e.UID] = &running{purge: p}
	wake := r.wake(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)})
	o := newOwner(e)
	go func() {
		defer wake()
		defer close(p.done)
		p.err = purge(ctx, r.client, r.reader, o)
	}()
}

// report puts what a session says into the status. acted is the generation
// that was acted on.
func report(e *containersv1alpha1.ContainerEngine, acted int64, state State) {
	if state.Reason == containersv1alpha1.ReasonStopped && acted == e.Generation {
		e.Status = containersv1alpha1.ContainerEngineStatus{Conditions: e.Status.Conditions}
	}
	status := &e.Status
	status.ObservedGeneration = acted
	status.Containers = int32(state.Counts[engine.KindContainer])
	status.Images = int32(state.Counts[engine.KindImage])
	status.Volumes = int32(state.Counts[engine.KindVolume])
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
	apimeta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type:               containersv1alpha1.ConditionReady,
		Status:             ready,
		ObservedGeneration: acted,
		Reason:             state.Reason,
		Message:            state.Message,
	})
}

func setInfo(status *containersv1alpha1.ContainerEngineStatus, info *engine.Info) {
	status.EngineID = info.ID
	status.Version = info.Version
	status.APIVersion = info.APIVersion
	status.OS = info.OS
	status.Architecture = info.Architecture
	status.CPUs = info.CPUs
	status.Memory = resource.NewQuantity(info.Memory, resource.BinarySI)
}
