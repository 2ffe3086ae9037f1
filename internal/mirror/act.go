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

// slowStop is how long a stop or a restart may take: most containers have ten
// seconds to end by themselves.
const slowStop = time.Minute

// wish is what a Container asks to be done to its container, once.
type wish struct {
	action containersv1alpha1.Action
	// generation is that of the spec.state that asks; 0 where the annotation does.
	generation int64
	// fulfilled says that the container is as it would be afterwards.
	fulfilled bool
}

// wishOf returns what a Container asks for, nil for nothing. phase is how its
// container is. An act whose end was not recorded, because the daemon was killed, is
// found fulfilled, and not repeated.
func wishOf(m *containersv1alpha1.Container, phase containersv1alpha1.Phase) *wish {
	stopped := phase == containersv1alpha1.PhaseExited || phase == containersv1alpha1.PhaseCreated || phase == containersv1alpha1.PhaseDead
	running := phase == containersv1alpha1.PhaseRunning || phase == containersv1alpha1.PhaseRestarting
	paused := phase == containersv1alpha1.PhasePaused
	if action := containersv1alpha1.Action(m.Annotations[containersv1alpha1.ActionAnnotation]); action != "" {
		w := &wish{action: action}
		switch action {
		case containersv1alpha1.ActionStart, containersv1alpha1.ActionUnpause:
			w.fulfilled = phase == containersv1alpha1.PhaseRunning
		case containersv1alpha1.ActionStop:
			w.fulfilled = stopped
		case containersv1alpha1.ActionPause:
			w.fulfilled = paused
		}
		return w
	}
	if m.Spec.State == "" || m.Status.ObservedGeneration >= m.Generation {
		return nil
	}
	w := &wish{generation: m.Generation}
	switch m.Spec.State {
	case containersv1alpha1.StateRunning:
		w.action, w.fulfilled = containersv1alpha1.ActionStart, running
		if paused {
			w.action = containersv1alpha1.ActionUnpause
		}
	case containersv1alpha1.StatePaused:
		w.action, w.fulfilled = containersv1alpha1.ActionPause, paused
	case containersv1alpha1.StateExited:
		w.action, w.fulfilled = containersv1alpha1.ActionStop, stopped
	}
	return w
}

// in reports whether a container's mirrors have the wish.
func (w *wish) in(mirrors []client.Object) bool {
	return slices.ContainsFunc(mirrors, func(obj client.Object) bool {
		m, ok := obj.(*containersv1alpha1.Container)
		if !ok {
			return false
		}
		other := wishOf(m, m.Status.Status)
		return other != nil && other.generation == w.generation && (w.generation != 0 || other.action == w.action)
	})
}

// act is a wish that is being fulfilled, or was tried.
type act struct {
	wish
	observed  time.Time
	completed time.Time // zero while it is under way
	err       error

	tries   int       // that failed, and were no refusals
	missing int       // of them, those for which the engine said that it has no such container
	retry   time.Time // when to try again; zero where it is not to be
}

// pause returns how long to wait before the next try: not at all after the first
// one that found no container, which most often is gone.
func (a *act) pause() time.Duration {
	if a.tries == 1 && a.missing == 1 {
		return 0
	}
	return min(retryMin<<min(a.tries, 20), retryMax)
}

// again reports whether an act that has ended is to be tried again: it was neither
// done nor refused, and the engine has not denied the container too often.
func (a *act) again() bool {
	return a.err != nil && !errors.Is(a.err, engine.ErrRefused) &&
		(!errors.Is(a.err, engine.ErrNotFound) || a.missing < contradictions)
}

// acts are what is done to containers outside of the workers, as the engine may
// take its time.
type acts struct {
	wg sync.WaitGroup

	mu   sync.Mutex
	list map[engine.Key]*act // guarded by mu
}

// get returns a copy of what is done to a container, nil for nothing.
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

// forgetEnded forgets what was done to a container that is gone. What is
// under way ends first, and queues the container again.
func (a *acts) forgetEnded(key engine.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if current := a.list[key]; current != nil && !current.completed.IsZero() {
		delete(a.list, key)
	}
}

// put notes an act.
func (a *acts) put(key engine.Key, next *act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil {
		a.list = map[engine.Key]*act{}
	}
	a.list[key] = next
}

// act does what a Container asks for, and tells what came of it. phase is how
// the container is, and before are its mirrors as they were when the engine was
// asked for it: a wish that came later may be for a container that has changed
// since, and is not fulfilled by what it was like before.
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
		if !current.fulfilled {
			a.startAct(ctx, key, *current)
			return nil
		}
		if !current.in(before) {
			a.queue.Add(key)
			return nil
		}
		current.completed = current.observed
	}
	switch {
	case current.completed.IsZero():
		return nil // its end queues the container
	case current.again():
		a.tryAgain(key, *current)
		return nil
	}
	return a.record(ctx, key, m, current)
}

// nextAct returns what is to be done now, nil for nothing. last is what failed,
// and is to be tried again after a pause unless something else is asked for
// before; nil for none.
func (a *actor) nextAct(key engine.Key, m *containersv1alpha1.Container, phase containersv1alpha1.Phase, last *act) *act {
	w := wishOf(m, phase)
	if w == nil {
		a.acts.forget(key)
		a.problems.clear(key, containersv1alpha1.ReasonActFailed)
		return nil
	}
	next := &act{wish: *w, observed: a.clock.Now()}
	if last == nil || last.wish != *w {
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

// startAct asks the engine, in the background.
func (a *actor) startAct(ctx context.Context, key engine.Key, next act) {
	a.acts.put(key, &next)
	a.acts.wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, actTimeout)
		defer cancel()
		done := next
		slow := a.whenSlow(ctx, next.action, func(took time.Duration) {
			a.problems.add(key, containersv1alpha1.ReasonActFailed, fmt.Errorf("%s: no answer of the engine within %s", next.action, took))
		})
		done.err = a.engine.Act(ctx, key, next.action)
		slow()
		done.completed = a.clock.Now()
		a.acts.put(key, &done)
		a.queue.Add(key)
	})
}

// whenSlow calls f when an act takes longer than it ever should, unless the
// returned function is called before, which waits for f.
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

// record writes what came of an act into the Container, and then takes the
// annotation away that asked for it.
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
		result.State, result.Error = containersv1alpha1.ActionFailed, bounded.Text(fmt.Sprintf("the engine says %q, and shows it nevertheless", bounded.Error(done.err)))
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
	a.queue.Add(key) // there may be another wish
	return nil
}

// tryAgain has an act tried again that the connection broke off, or for which the
// engine found no container: most often that is gone, and so is its object soon.
func (a *actor) tryAgain(key engine.Key, failed act) {
	a.log.Debug("an act failed, will try again", "action", failed.action, "id", key.ID, "error", failed.err)
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

// removeAction takes the annotation away, if no client wrote to the object since it
// was read.
func (a *actor) removeAction(ctx context.Context, m *containersv1alpha1.Container) error {
	without := m.DeepCopy()
	delete(without.Annotations, containersv1alpha1.ActionAnnotation)
	return a.writer.patch(ctx, m, without)
}
