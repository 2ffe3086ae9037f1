// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// actTimeout bounds one act: a stop waits for the container's grace period.
const actTimeout = 10 * time.Minute

// slowStop is how long a stop or a restart may take: most containers have a grace
// period of ten seconds.
const slowStop = time.Minute

// request is an action that a Container requests, once.
type request struct {
	action containersv1alpha1.Action
	// generation is the metadata.generation whose spec.state requests the action; 0
	// if the annotation does.
	generation int64
	// satisfied is whether the container already is in the resulting phase.
	satisfied bool
}

// requestOf returns the action that a Container requests, nil for none. phase is the
// observed phase of its container. An act that finished but was not recorded because
// the daemon was killed is satisfied, and not repeated.
func requestOf(m *containersv1alpha1.Container, phase containersv1alpha1.Phase) *request {
	stopped := phase == containersv1alpha1.PhaseExited || phase == containersv1alpha1.PhaseCreated || phase == containersv1alpha1.PhaseDead
	running := phase == containersv1alpha1.PhaseRunning || phase == containersv1alpha1.PhaseRestarting
	paused := phase == containersv1alpha1.PhasePaused
	if action := containersv1alpha1.Action(m.Annotations[containersv1alpha1.ActionAnnotation]); action != "" {
		r := &request{action: action}
		switch action {
		case containersv1alpha1.ActionStart, containersv1alpha1.ActionUnpause:
			r.satisfied = phase == containersv1alpha1.PhaseRunning
		case containersv1alpha1.ActionStop:
			r.satisfied = stopped
		case containersv1alpha1.ActionPause:
			r.satisfied = paused
		}
		return r
	}
	if m.Spec.State == "" || m.Status.ObservedGeneration >= m.Generation {
		return nil
	}
	r := &request{generation: m.Generation}
	switch m.Spec.State {
	case containersv1alpha1.StateRunning:
		r.action, r.satisfied = containersv1alpha1.ActionStart, running
		if paused {
			r.action = containersv1alpha1.ActionUnpause
		}
	case containersv1alpha1.StatePaused:
		r.action, r.satisfied = containersv1alpha1.ActionPause, paused
	case containersv1alpha1.StateExited:
		r.action, r.satisfied = containersv1alpha1.ActionStop, stopped
	}
	return r
}

// isIn reports whether a container's mirrors have the request.
func (r *request) isIn(mirrors []client.Object) bool {
	return slices.ContainsFunc(mirrors, func(obj client.Object) bool {
		m, ok := obj.(*containersv1alpha1.Container)
		if !ok {
			return false
		}
		other := requestOf(m, m.Status.Status)
		return other != nil && other.generation == r.generation && (r.generation != 0 || other.action == r.action)
	})
}

// act is the execution of a request.
type act struct {
	request
	observed  time.Time
	completed time.Time // zero while it is under way
	err       error

	tries   int       // failed tries that the engine did not refuse
	missing int       // of them, those for which the engine did not find the container
	retry   time.Time // when to retry; zero if there is no retry
}

// pause returns how long to wait before the next try. If the first one did not find
// the container it is zero: the container most often is removed, and so is its
// mirror soon.
func (a *act) pause() time.Duration {
	if a.tries == 1 && a.missing == 1 {
		return 0
	}
	return min(retryMin<<min(a.tries, 20), retryMax)
}

// canRetry reports whether to retry a finished act: it neither succeeded nor was
// refused, and the engine did not report the container as missing too often.
func (a *act) canRetry() bool {
	return a.err != nil && !errors.Is(a.err, engine.ErrRefused) &&
		(!errors.Is(a.err, engine.ErrNotFound) || a.missing < contradictions)
}

// acts are the acts on containers. They run outside of the workers because they may
// take minutes.
type acts struct {
	wg sync.WaitGroup

	mu   sync.Mutex
	list map[engine.Key]*act // guarded by mu
}

// get returns a copy of the act on a container, nil for none.
func (a *acts) get(key engine.Key) *act {
	a.mu.Lock()
	defer a.mu.Unlock()
	current := a.list[key]
	if current == nil {
		return nil
	}
	copied := *current
	return &copied
}

func (a *acts) forget(key engine.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.list, key)
}

// forgetEnded forgets the act on a removed container. An act under way finishes
// first, and queues the container again.
func (a *acts) forgetEnded(key engine.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if current := a.list[key]; current != nil && !current.completed.IsZero() {
		delete(a.list, key)
	}
}

// put records an act.
func (a *acts) put(key engine.Key, next *act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil {
		a.list = map[engine.Key]*act{}
	}
	a.list[key] = next
}

// act executes the request of a Container and records the result. phase is the
// observed phase of the container, and before are its mirrors at the time of that
// observation: a later request may be for a container that has changed since, so
// phase does not satisfy it.
func (a *actor) act(ctx context.Context, key engine.Key, phase containersv1alpha1.Phase, before []client.Object) error {
	mirrors := a.table.of(key)
	if len(mirrors) != 1 || mirrors[0].GetDeletionTimestamp() != nil {
		return nil
	}
	m, ok := mirrors[0].(*containersv1alpha1.Container)
	if !ok {
		return nil
	}
	current := a.acts.get(key)
	if current == nil || !current.retry.IsZero() {
		if current = a.nextAct(key, m, phase, current); current == nil {
			return nil
		}
		if !current.satisfied {
			a.startAct(ctx, key, *current)
			return nil
		}
		if !current.isIn(before) {
			a.queue.Add(key)
			return nil
		}
		current.completed = current.observed
	}
	switch {
	case current.completed.IsZero():
		return nil // its end queues the container
	case current.canRetry():
		a.retryAct(key, *current)
		return nil
	}
	return a.record(ctx, key, m, current)
}

// nextAct returns the act to start now, nil for none. last is the failed act, which
// is retried after its pause unless the request changes before; nil for none.
func (a *actor) nextAct(key engine.Key, m *containersv1alpha1.Container, phase containersv1alpha1.Phase, last *act) *act {
	r := requestOf(m, phase)
	if r == nil {
		a.acts.forget(key)
		a.problems.clear(key, containersv1alpha1.ReasonActFailed)
		return nil
	}
	next := &act{request: *r, observed: a.clock.Now()}
	if last == nil || last.request != *r {
		a.problems.clear(key, containersv1alpha1.ReasonActFailed)
		return next
	}
	if rest := last.retry.Sub(a.clock.Now()); rest > 0 {
		a.queue.AddAfter(key, rest)
		return nil
	}
	next.observed, next.tries, next.missing = last.observed, last.tries, last.missing
	return next
}

// startAct starts an act in the background.
func (a *actor) startAct(ctx context.Context, key engine.Key, next act) {
	a.acts.put(key, &next)
	a.acts.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, actTimeout)
		defer cancel()
		done := next
		stopTimer := a.whenSlow(ctx, next.action, func(took time.Duration) {
			a.problems.add(key, containersv1alpha1.ReasonActFailed, fmt.Errorf("%s: no answer from the engine within %s", next.action, took))
		})
		done.err = a.engine.Act(ctx, key, next.action)
		stopTimer()
		done.completed = a.clock.Now()
		a.acts.put(key, &done)
		a.queue.Add(key)
	})
}

// whenSlow calls f if an act takes too long. The returned function cancels that, and
// waits for f.
func (a *actor) whenSlow(ctx context.Context, action containersv1alpha1.Action, f func(time.Duration)) (done func()) {
	patience := problemGrace
	if action == containersv1alpha1.ActionStop || action == containersv1alpha1.ActionRestart {
		patience = slowStop
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		timer := a.clock.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C():
			f(patience)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// record writes the result of an act into the Container, and then removes the
// annotation that requested it.
func (a *actor) record(ctx context.Context, key engine.Key, m *containersv1alpha1.Container, done *act) error {
	result := &containersv1alpha1.LastAction{
		Action:      done.action,
		State:       containersv1alpha1.ActionSucceeded,
		ObservedAt:  metav1.NewTime(done.observed.Truncate(time.Second)),
		CompletedAt: metav1.NewTime(done.completed.Truncate(time.Second)),
		Generation:  done.generation,
	}
	switch {
	case errors.Is(done.err, engine.ErrRefused):
		result.State, result.Error = containersv1alpha1.ActionFailed, bounded.Text(done.err.Error())
	case done.err != nil:
		result.State, result.Error = containersv1alpha1.ActionFailed, bounded.Text(fmt.Sprintf("the engine reports %q, but still lists the container", bounded.Error(done.err)))
	}
	updated := m.DeepCopy()
	updated.Status.LastAction = result
	updated.Status.ObservedGeneration = max(updated.Status.ObservedGeneration, done.generation)
	if !apiequality.Semantic.DeepEqual(updated.Status, m.Status) {
		if err := a.writer.status(ctx, updated); err != nil {
			return err
		}
	}
	if done.generation == 0 && updated.Annotations[containersv1alpha1.ActionAnnotation] == string(done.action) {
		if err := a.removeAction(ctx, updated); err != nil {
			return err
		}
	}
	a.acts.forget(key)
	a.problems.clear(key, containersv1alpha1.ReasonActFailed)
	a.queue.Add(key) // there may be another request
	return nil
}

// retryAct schedules the retry of an act that a broken connection interrupted, or
// for which the engine did not find the container.
func (a *actor) retryAct(key engine.Key, failed act) {
	a.log.Debug("an act failed, will retry", "action", failed.action, "id", key.ID, "error", failed.err)
	a.problems.suspect(key, containersv1alpha1.ReasonActFailed, fmt.Errorf("%s: %w", failed.action, failed.err))
	failed.tries++
	if errors.Is(failed.err, engine.ErrNotFound) {
		failed.missing++
	}
	pause := failed.pause()
	failed.retry = a.clock.Now().Add(pause)
	a.acts.put(key, &failed)
	a.queue.AddAfter(key, pause)
}

// removeAction removes the annotation, unless a client has written the object since
// it was read.
func (a *actor) removeAction(ctx context.Context, m *containersv1alpha1.Container) error {
	without := m.DeepCopy()
	delete(without.Annotations, containersv1alpha1.ActionAnnotation)
	return a.writer.patch(ctx, m, without)
}
