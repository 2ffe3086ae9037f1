// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

const (
	// reconcilers is how many ContainerEngines are reconciled at a time.
	reconcilers = 4

	// stopPatience is how long a session may take to stop. A call to an engine that
	// ignores its context, such as an open(2) that blocks, is abandoned.
	stopPatience = 5 * time.Second
)

// running is the background work for one ContainerEngine: a session, or the removal
// of the mirrors. Reconcile does not wait for it: its end wakes the reconciler.
type running struct {
	owner    owner
	endpoint string
	secret   string // the name of the Secret in the spec; empty for none
	resync   time.Duration
	// reconnect is the value of ReconnectAnnotation that the session has observed.
	reconnect string

	purge *purgeProcess // nil while there is a session

	opened  chan struct{} // closed when the engine is open, or never can be; nil with a purge
	session *Session      // guarded by reconciler.mu; nil until the engine is open, and while mirrors are removed
	failure error         // guarded by reconciler.mu; why there is no session
	ended   chan struct{} // guarded by reconciler.mu; nil until it must end, closed when it has ended
	removed bool          // guarded by reconciler.mu; the removal of the mirrors follows its end
}

// purgeProcess is the removal of all mirrors of an owner, in the background.
type purgeProcess struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
}

// stateOf returns the state of the engine. There must not be a purge.
func (r *reconciler) stateOf(run *running) State {
	r.mu.Lock()
	session, failure := run.session, run.failure
	r.mu.Unlock()
	switch {
	case failure != nil:
		return State{Reason: containersv1alpha1.ReasonUnsupported, Message: failure.Error()}
	case session == nil:
		return State{Reason: containersv1alpha1.ReasonConnecting, Message: "connecting"}
	}
	return session.Report()
}

func (p *purgeProcess) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// suits reports whether a session has the settings of the spec.
func (run *running) suits(e *containersv1alpha1.ContainerEngine) bool {
	return run.endpoint == e.Spec.Endpoint && run.secret == e.SecretName() && run.resync == e.Resync() &&
		run.reconnect == e.Annotations[containersv1alpha1.ReconnectAnnotation]
}

// end ends the background work for a ContainerEngine, and reports whether it has
// ended. If not, its end wakes the reconciler.
func (r *reconciler) end(e *containersv1alpha1.ContainerEngine) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.sessions[e.UID]
	if run == nil {
		return true
	}
	select {
	case <-r.endLocked(run):
		delete(r.sessions, e.UID)
		return true
	default:
		return false
	}
}

// endLocked cancels background work, once, and returns a channel that is closed when
// the work has ended, or after [stopPatience]. An engine that is still being opened
// is closed after that.
func (r *reconciler) endLocked(run *running) <-chan struct{} {
	if run.ended != nil {
		return run.ended
	}
	run.ended = make(chan struct{})
	session := run.session
	run.session = nil
	if session == nil && (run.purge == nil || run.purge.finished()) {
		close(run.ended)
		return run.ended
	}
	wake := r.wake(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: run.owner.namespace, Name: run.owner.name}})
	stopped := make(chan struct{})
	go func() {
		defer wake() // also if it was abandoned: its last writes must be removed
		defer close(stopped)
		if session != nil {
			session.Stop()
		}
		if run.purge != nil {
			run.purge.cancel()
			<-run.purge.done
		}
	}()
	go func() {
		defer wake()
		defer close(run.ended)
		r.awaitOrAbandon(stopped, run.owner)
	}()
	return run.ended
}

// awaitOrAbandon waits until stopped is closed, at most [stopPatience].
func (r *reconciler) awaitOrAbandon(stopped <-chan struct{}, o owner) {
	select {
	case <-stopped:
	case <-r.clock.After(stopPatience):
		r.log.Error("a call to the engine does not return and is abandoned", "engine", o.String(), "after", stopPatience)
	}
}

// endAll ends all background work at once, and waits for that. No session can start
// afterwards.
func (r *reconciler) endAll() {
	r.mu.Lock()
	r.stopped = true
	var wg sync.WaitGroup
	for _, run := range r.sessions {
		ended := r.endLocked(run)
		wg.Go(func() {
			<-ended
			if run.opened != nil {
				r.awaitOrAbandon(run.opened, run.owner)
			}
		})
	}
	r.sessions = map[types.UID]*running{}
	r.mu.Unlock()
	wg.Wait()
}

// run makes sure that a session with the settings of the spec runs, and reports its
// state.
func (r *reconciler) run(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	// A removal of the mirrors that has begun finishes first: it clears the engine's ID.
	if r.moved(e) || r.purging(e) {
		if forgotten, err := r.forgetMoved(ctx, e); err != nil || !forgotten {
			return err
		}
	}
	run := r.current(e)
	if run != nil && (r.isEnding(run) || !run.suits(e)) {
		if !r.end(e) {
			return nil
		}
		run = nil
	}
	if run == nil {
		run = r.begin(e)
	}
	if run != nil { // otherwise the manager stops
		report(e, e.Generation, r.stateOf(run))
	}
	return nil
}

// moved reports whether the mirrors are of an engine at another endpoint: most often
// another engine, whose mirrors must be removed. A running session has precedence
// over the status, which may come from a stale cache.
func (r *reconciler) moved(e *containersv1alpha1.ContainerEngine) bool {
	if run := r.current(e); run != nil && run.purge == nil && run.endpoint == e.Spec.Endpoint {
		return false
	}
	return e.Status.EngineID != "" && e.Status.Endpoint != e.Spec.Endpoint
}

// purging reports whether the mirrors are being removed, or will be when the session
// has ended.
func (r *reconciler) purging(e *containersv1alpha1.ContainerEngine) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.sessions[e.UID]
	return run != nil && (run.purge != nil || run.removed)
}

func (r *reconciler) current(e *containersv1alpha1.ContainerEngine) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[e.UID]
}

func (r *reconciler) isEnding(run *running) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return run.ended != nil
}

// begin opens the engine in the background, and starts a session with it. It returns
// nil if the manager stops.
func (r *reconciler) begin(e *containersv1alpha1.ContainerEngine) *running {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil
	}
	run := &running{
		owner: newOwner(e), endpoint: e.Spec.Endpoint, secret: e.SecretName(), resync: e.Resync(),
		reconnect: e.Annotations[containersv1alpha1.ReconnectAnnotation],
		opened:    make(chan struct{}),
	}
	r.sessions[e.UID] = run
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)}
	cfg := sessionConfig{
		owner:   newOwner(e),
		secret:  r.secretOf(e),
		known:   identity{id: e.Status.EngineID, rootDir: e.Status.RootDir, hostName: e.Status.HostName},
		resync:  run.resync,
		client:  boundedClient{r.client, r.load},
		reader:  r.reader,
		events:  r.events,
		watch:   r.watch,
		clock:   r.clock,
		log:     r.log.With("engine", request.String()),
		metrics: r.metrics,
		changed: r.wake(request),
	}
	go r.openSession(run, *e.Spec.DeepCopy(), cfg)
	return run
}

// openSession opens an engine and starts the session, unless it was canceled before.
// Opening may block forever, for example for a FIFO without a writer.
func (r *reconciler) openSession(run *running, spec containersv1alpha1.ContainerEngineSpec, cfg sessionConfig) {
	defer cfg.changed()
	defer close(run.opened)
	connection, err := r.open(spec, cfg.secret.material())
	r.mu.Lock()
	ending := run.ended != nil
	switch {
	case err != nil:
		run.failure = err
	case !ending:
		cfg.engine = connection
		run.session = startSession(cfg)
	}
	r.mu.Unlock()
	if ending && err == nil {
		_ = connection.Close()
	}
}

// forgetMoved removes the mirrors of the previous engine, and then its ID. It reports
// whether that has finished.
func (r *reconciler) forgetMoved(ctx context.Context, e *containersv1alpha1.ContainerEngine) (bool, error) {
	done, err := r.purged(ctx, e)
	if err != nil || !done {
		report(e, e.Status.ObservedGeneration, State{
			Reason:  containersv1alpha1.ReasonConnecting,
			Message: "removing the mirrors of " + cmp.Or(e.Status.Endpoint, e.Spec.Endpoint) + " first",
		})
		return false, err
	}
	r.end(e)
	e.Status = containersv1alpha1.ContainerEngineStatus{Conditions: e.Status.Conditions}
	return true, nil
}

// stop ends the session, removes the mirrors, and releases a deleted ContainerEngine.
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
		r.metrics.forget(newOwner(e).String())
		return finalizer.Release(ctx, r.client, e, finalizer.Cleanup)
	}
	return nil
}

// purged starts the removal of all mirrors in the background, once, and reports
// whether it is complete.
func (r *reconciler) purged(ctx context.Context, e *containersv1alpha1.ContainerEngine) (bool, error) {
	run := r.current(e)
	if run != nil && (run.purge == nil || r.isEnding(run)) {
		r.mu.Lock()
		run.removed = true
		r.mu.Unlock()
		if !r.end(e) {
			return false, nil
		}
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
		r.end(e) // the queue retries
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
	o := newOwner(e)
	r.sessions[e.UID] = &running{owner: o, purge: p}
	wake := r.wake(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)})
	go func() {
		defer wake()
		defer close(p.done)
		p.err = purge(ctx, r.client, r.reader, o)
	}()
}

// forgetOthers ends the background work for ContainerEngines that had the name
// before and were deleted without [reconciler.stop]: a client removed their
// finalizers. It reports whether their mirrors are removed. uid is the UID of the
// ContainerEngine that has the name now, empty for none.
func (r *reconciler) forgetOthers(ctx context.Context, name types.NamespacedName, uid types.UID) (bool, error) {
	all := true
	for _, o := range r.owners(name) {
		if o.reference.UID == uid {
			continue
		}
		gone := &containersv1alpha1.ContainerEngine{ObjectMeta: metav1.ObjectMeta{Name: o.name, Namespace: o.namespace, UID: o.reference.UID}}
		done, err := r.purged(ctx, gone)
		if err != nil {
			r.mu.Lock()
			r.sessions[gone.UID] = &running{owner: o} // for the retry
			r.mu.Unlock()
			return false, err
		}
		if !done {
			all = false
			continue
		}
		r.end(gone)
		r.metrics.forget(o.String())
	}
	return all, nil
}

// owners returns the ContainerEngines of a name that have background work.
func (r *reconciler) owners(name types.NamespacedName) []owner {
	r.mu.Lock()
	defer r.mu.Unlock()
	var owners []owner
	for _, run := range r.sessions {
		if run.owner.name == name.Name && run.owner.namespace == name.Namespace {
			owners = append(owners, run.owner)
		}
	}
	return owners
}
