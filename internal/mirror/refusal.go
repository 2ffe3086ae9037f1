// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// refusalShown is how long a mirror shows that its deletion was refused, unless
// its engine object changes before.
const refusalShown = time.Hour

// refusedNow reports whether the engine refused the deletion of a mirror that is
// being deleted. A deletion is a generation of the object, and the condition may
// be of one before: then it is about an object that this one replaced.
func refusedNow(obj client.Object) bool {
	refused := apimeta.FindStatusCondition(*conditionsOf(obj), containersv1alpha1.ConditionDeletionRefused)
	return obj.GetDeletionTimestamp() != nil && refused != nil && refused.Status == metav1.ConditionTrue &&
		refused.ObservedGeneration == obj.GetGeneration()
}

// refuse ends a deletion that the engine refused: it must not be carried out hours
// later, when what is in the way has gone. The refusal is written before anything
// else, so that a daemon that is killed here knows it when it runs again.
func (a *actor) refuse(ctx context.Context, key engine.Key, have, want client.Object, reason string, err error) error {
	updated := withStatus(have, want, a.clock.Now())
	if updated == nil {
		updated = have.DeepCopyObject().(client.Object)
	}
	conditions := conditionsOf(updated)
	apimeta.RemoveStatusCondition(conditions, containersv1alpha1.ConditionDeleting)
	apimeta.RemoveStatusCondition(conditions, containersv1alpha1.ConditionDeletionRefused) // of the object before
	refused := metav1.Condition{
		Type:               containersv1alpha1.ConditionDeletionRefused,
		Status:             metav1.ConditionTrue,
		Reason:             reason,
		Message:            engineWords(err),
		ObservedGeneration: have.GetGeneration(),
		LastTransitionTime: metav1.NewTime(a.clock.Now().Truncate(time.Second)),
	}
	bounded.Set(conditions, refused)
	if err := a.writeDeletion(ctx, updated); err != nil {
		return err
	}
	a.problems.clear(key, containersv1alpha1.ReasonDeletionFailed)
	if heldByOthers(updated) {
		a.tellRefusal(updated, refused)
	}
	return a.replace(ctx, updated, want)
}

// replace replaces a deleted mirror whose deletion the engine refused by a new
// one, which shows the refusal. While it has finalizers of others it can't be
// replaced, and stays as it is.
func (a *actor) replace(ctx context.Context, have, want client.Object) error {
	if meant, err := a.deletionIsMeant(ctx); err != nil || !meant {
		return err // the ContainerEngine stops, or the namespace is deleted: no new mirrors
	}
	if heldByOthers(have) {
		return a.showDeletion(ctx, have, want, nil)
	}
	refused := apimeta.FindStatusCondition(*conditionsOf(have), containersv1alpha1.ConditionDeletionRefused)
	a.deletions.putRefused(nameOf(have), refusal{keyOf(have), *refused})
	if err := a.writer.remove(ctx, have); err != nil {
		return err
	}
	return a.mirrors.create(ctx, keepLabels(have, want))
}

func heldByOthers(obj client.Object) bool {
	finalizers := obj.GetFinalizers()
	return len(finalizers) > 1 || len(finalizers) == 1 && !controllerutil.ContainsFinalizer(obj, containersv1alpha1.MirrorFinalizer)
}

func (a *actor) tellRefusal(on client.Object, refused metav1.Condition) {
	a.events.Event(on, corev1.EventTypeWarning, containersv1alpha1.ConditionDeletionRefused,
		"the deletion ended, and is not tried again: "+refused.Message)
}

// withRefusal returns updated, nil for no change of have, with the refusal of the
// deletion of the mirror before, and without one that is no longer shown.
func (a *actor) withRefusal(have, updated client.Object) client.Object {
	pending, isPending := a.deletions.refusedOf(nameOf(have))
	shown := apimeta.FindStatusCondition(*conditionsOf(have), containersv1alpha1.ConditionDeletionRefused)
	changed := updated != nil
	if !isPending && shown == nil {
		return updated
	}
	if !changed {
		updated = have.DeepCopyObject().(client.Object)
	}
	if isPending {
		pending.ObservedGeneration = have.GetGeneration()
		bounded.Set(conditionsOf(updated), pending)
		return updated
	}
	if rest := refusalShown - a.clock.Since(shown.LastTransitionTime.Time); !changed && rest > 0 {
		a.queue.AddAfter(keyOf(have), rest)
		return nil
	}
	apimeta.RemoveStatusCondition(conditionsOf(updated), containersv1alpha1.ConditionDeletionRefused)
	return updated
}

// wroteRefusal takes that a mirror was written as [actor.withRefusal] returned
// it.
func (a *actor) wroteRefusal(m client.Object) {
	if refused, ok := a.deletions.takeRefused(nameOf(m)); ok {
		a.tellRefusal(m, refused)
	}
}

// forget takes that an object has left the engine.
func (a *actor) forget(key engine.Key) {
	a.acts.forgetEnded(key)
	a.deletions.forgetRefused(key)
}

// forgetDeletion takes that a mirror is gone.
func (a *actor) forgetDeletion(m client.Object) {
	if _, known := a.deletions.of(m.GetUID()); known {
		a.problems.clear(keyOf(m), containersv1alpha1.ReasonDeletionFailed)
	}
	a.deletions.forget(m.GetUID())
}

// refusal is what the next mirror of a name shows.
type refusal struct {
	key       engine.Key
	condition metav1.Condition
}

func (d *deletions) putRefused(name mirrorName, r refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused[name] = r
}

func (d *deletions) refusedOf(name mirrorName) (metav1.Condition, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.refused[name]
	return r.condition, ok
}

func (d *deletions) takeRefused(name mirrorName) (metav1.Condition, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.refused[name]
	delete(d.refused, name)
	return r.condition, ok
}

// forgetRefused forgets an object that has left the engine: another one of the
// name has nothing to do with it.
func (d *deletions) forgetRefused(key engine.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.refused, func(_ mirrorName, r refusal) bool { return r.key == key })
}
