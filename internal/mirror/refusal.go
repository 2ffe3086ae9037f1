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

// refusalShown is how long a mirror shows that its deletion was refused. A change of
// the engine object ends that earlier.
const refusalShown = time.Hour

// refusedNow reports whether the engine refused the current deletion of a mirror. A
// deletion changes the generation: a condition of an earlier generation is about the
// mirror that this one replaced.
func refusedNow(obj client.Object) bool {
	refused := apimeta.FindStatusCondition(*conditionsOf(obj), containersv1alpha1.ConditionDeletionRefused)
	return obj.GetDeletionTimestamp() != nil && refused != nil && refused.Status == metav1.ConditionTrue &&
		refused.ObservedGeneration == obj.GetGeneration()
}

// refuse ends a deletion that the engine refused: it must not succeed hours later,
// when the object is no longer in use. The refusal is written first, so that it
// survives a daemon that is killed here.
func (a *actor) refuse(ctx context.Context, key engine.Key, have, want client.Object, reason string, err error) error {
	updated := withStatus(have, want, a.clock.Now())
	if updated == nil {
		updated = have.DeepCopyObject().(client.Object)
	}
	conditions := conditionsOf(updated)
	apimeta.RemoveStatusCondition(conditions, containersv1alpha1.ConditionDeleting)
	apimeta.RemoveStatusCondition(conditions, containersv1alpha1.ConditionDeletionRefused) // about the previous object
	refused := metav1.Condition{
		Type:               containersv1alpha1.ConditionDeletionRefused,
		Status:             metav1.ConditionTrue,
		Reason:             reason,
		Message:            engineMessage(err),
		ObservedGeneration: have.GetGeneration(),
		LastTransitionTime: metav1.NewTime(a.clock.Now().Truncate(time.Second)),
	}
	bounded.Set(conditions, refused)
	if err := a.writeDeletion(ctx, updated); err != nil {
		return err
	}
	a.problems.clear(key, containersv1alpha1.ReasonDeletionFailed)
	if heldByOthers(updated) {
		a.announceRefusal(updated, refused)
	}
	return a.replace(ctx, updated, want)
}

// replace replaces a deleted mirror whose deletion the engine refused with a new one,
// which shows the refusal. While a mirror has other finalizers it can't be replaced.
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

func (a *actor) announceRefusal(on client.Object, refused metav1.Condition) {
	a.events.Event(on, corev1.EventTypeWarning, containersv1alpha1.ConditionDeletionRefused,
		"the engine refused the deletion, and it is not retried: "+refused.Message)
}

// withRefusal returns updated, nil for no change of have, with the pending refusal
// from the mirror that this one replaces, and without an expired one.
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

// wroteRefusal announces the refusal that [actor.withRefusal] returned, after the
// write of the mirror.
func (a *actor) wroteRefusal(m client.Object) {
	if refused, ok := a.deletions.takeRefused(nameOf(m)); ok {
		a.announceRefusal(m, refused)
	}
}

// forget forgets an object that the engine has removed.
func (a *actor) forget(key engine.Key) {
	a.acts.forgetEnded(key)
	a.deletions.forgetRefused(key)
}

// forgetDeletion forgets the deletion of a mirror that has been removed.
func (a *actor) forgetDeletion(m client.Object) {
	if _, known := a.deletions.of(m.GetUID()); known {
		a.problems.clear(keyOf(m), containersv1alpha1.ReasonDeletionFailed)
	}
	a.deletions.forget(m.GetUID())
}

// refusal is the refused deletion that the next mirror of a name shows.
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

// forgetRefused forgets the refusals of an object that the engine has removed:
// another one of the name is not related to it.
func (d *deletions) forgetRefused(key engine.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.refused, func(_ mirrorName, r refusal) bool { return r.key == key })
}
