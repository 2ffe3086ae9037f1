// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"cmp"
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/finalizer"
)

// running is what is under way for one ContainerEngine: a session, or the
// removal of the mirrors.
type running struct {
	owner    owner
	endpoint string
	secret   string // the name of the one that the spec names; empty for none
	resync   time.Duration
	// reconnect is the request for a new connection that it is the answer to.
	reconnect string

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

func (run *running) stop() {
	if run.session != nil {
		run.session.Stop()
	}
	if run.purge != nil {
		run.purge.cancel()
		<-run.purge.done
	}
}

// suits reports whether a session is what the spec asks for.
func (run *running) suits(e *containersv1alpha1.ContainerEngine) bool {
	return run.endpoint == e.Spec.Endpoint && run.secret == e.SecretName() && run.resync == e.Resync() &&
		run.reconnect == e.Annotations[containersv1alpha1.ReconnectAnnotation]
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
	// A stop that is under way comes to its end first: it forgets the engine.
	if r.moved(e) || r.purging(e) {
		if forgotten, err := r.forgetMoved(ctx, e); err != nil || !forgotten {
			return err
		}
	}
	run := r.current(e)
	if run != nil && !run.suits(e) {
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

// purging reports whether the removal of the mirrors is under way.
func (r *reconciler) purging(e *containersv1alpha1.ContainerEngine) bool {
	run := r.current(e)
	return run != nil && run.purge != nil
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
	run := &running{
		owner: newOwner(e), endpoint: e.Spec.Endpoint, secret: e.SecretName(), resync: e.Resync(),
		reconnect: e.Annotations[containersv1alpha1.ReconnectAnnotation],
	}
	r.sessions[e.UID] = run
	secret := r.secretOf(e)
	var connection engine.Engine
	if connection, run.failure = r.open(e.Spec, secret.material()); run.failure != nil {
		return run
	}
	request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)}
	run.session = startSession(sessionConfig{
		owner:   newOwner(e),
		engine:  connection,
		secret:  secret,
		known:   identity{id: e.Status.EngineID, rootDir: e.Status.RootDir, hostName: e.Status.HostName},
		resync:  run.resync,
		client:  r.client,
		reader:  r.reader,
		events:  r.events,
		watch:   r.watch,
		clock:   r.clock,
		log:     r.log.With("engine", request.String()),
		metrics: r.metrics,
		changed: r.wake(request),
	})
	return run
}

// forgetMoved removes the mirrors of the engine before, and then its ID. It reports whether that is done.
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
		r.metrics.forget(newOwner(e).String())
		return finalizer.Release(ctx, r.client, e, finalizer.Cleanup)
	}
	return nil
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
	o := newOwner(e)
	r.sessions[e.UID] = &running{owner: o, purge: p}
	wake := r.wake(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e)})
	go func() {
		defer wake()
		defer close(p.done)
		p.err = purge(ctx, r.client, r.reader, o)
	}()
}

// forgetOthers ends what runs for ContainerEngines that had the name and are
// gone, other than by [reconciler.stop]: somebody took their finalizers away.
// It reports whether their mirrors are gone too. uid is the one that has the
// name now, empty for none.
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
			r.sessions[gone.UID] = &running{owner: o} // to be known when it is tried again
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

// owners returns the ContainerEngines of a name for which something runs.
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
