// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

const (
	// contradictions is how often an engine may report an object removed and still
	// list it before that is a failure: its lists may be a moment behind.
	contradictions = 3

	// statusGrace is how long a removal may take before the mirror shows the state of
	// the object: most removals are faster.
	statusGrace = 500 * time.Millisecond

	// failurePatience is how long the removal of an image, a volume or a namespace
	// may fail before the deletion ends as if the engine had refused it: a deletion
	// that was reported as failed must not succeed hours later.
	failurePatience = 30 * time.Second
)

// Reasons of the conditions Deleting and DeletionRefused.
const (
	reasonRefused      = "Refused"      // the engine refused
	reasonFailed       = "Failed"       // the engine failed
	reasonContradicted = "Contradicted" // the engine reports the object removed and still lists it
)

// delete handles a deleted mirror whose object, which want shows, still is in the
// engine. It removes the object in the background, and a later sync finds it gone.
// have may lack a status, if it was deleted before the first one was written.
func (a *actor) delete(ctx context.Context, key engine.Key, have, want client.Object) error {
	d, known := a.deletions.of(have.GetUID())
	now := a.clock.Now()
	switch {
	case refusedNow(have):
		return a.replace(ctx, have, want)
	case d.underWay:
		return a.awaitRemoval(ctx, key, have, want, d)
	case known && d.next.After(now):
		a.queue.AddAfter(key, d.next.Sub(now))
		return a.showDeletion(ctx, have, want, nil)
	case d.ended && a.isOlder(key, d.answered):
		a.queue.Add(key)
		return nil
	case d.ended:
		if again, err := a.settle(ctx, key, have, want, d); err != nil || !again {
			return err
		}
	}
	meant, err := a.deletionIsMeant(ctx)
	if err != nil || !meant {
		return err
	}
	a.startRemoval(key, have, want)
	return nil
}

// isOlder reports whether the current sync began before a time. Its observation of
// the engine may be older then: it may show an object that is removed by now, and the
// next object of that name must not be removed for it.
func (a *actor) isOlder(key engine.Key, at time.Time) bool {
	began := a.mirrors.began(key)
	return !began.IsZero() && began.Before(at)
}

// startRemoval removes a mirror's object from the engine, in the background. The
// object is queued again when that has finished.
func (a *actor) startRemoval(key engine.Key, have, want client.Object) {
	options := engine.RemoveOptions{Tag: tagOf(want), Force: have.GetAnnotations()[containersv1alpha1.ForceAnnotation] == "true"}
	a.deletions.start(removal{
		uid:    have.GetUID(),
		remove: func() error { return a.engine.Remove(a.alive, key, options) },
		final:  func(err error) bool { return endsDeletion(key, err) },
		wake:   func(after time.Duration) { a.queue.AddAfter(key, after) },
	})
}

// endsDeletion reports whether an engine's answer ends the deletion of an object
// that the engine still lists.
func endsDeletion(key engine.Key, err error) bool {
	ends := kinds[key.Kind].endsDeletion
	return ends != nil && ends(err)
}

// awaitRemoval shows the state of an object whose removal takes long.
func (a *actor) awaitRemoval(ctx context.Context, key engine.Key, have, want client.Object, d deletion) error {
	took := a.clock.Since(d.started)
	if d.started.IsZero() || took < statusGrace {
		return nil // the removal queues the object when it takes longer, and when it has finished
	}
	if took < problemGrace {
		return a.showDeletion(ctx, have, want, nil)
	}
	return a.fail(ctx, key, have, want, reasonFailed, fmt.Errorf("the engine has not answered the removal since %s",
		d.started.UTC().Format(time.RFC3339)))
}

// settle handles the engine's answer to a removal after which it still lists the
// object. It reports whether to retry.
func (a *actor) settle(ctx context.Context, key engine.Key, have, want client.Object, d deletion) (again bool, err error) {
	lasted := a.clock.Since(d.since)
	switch {
	case errors.Is(d.err, errors.ErrUnsupported) && key.Kind == engine.KindNamespace:
		return false, a.mirrors.releaseNamespace(ctx, key, have)
	case endsDeletion(key, d.err):
		return false, a.refuse(ctx, key, have, want, reasonRefused, d.err)
	case d.agreed > 0 && d.agreed < contradictions:
		return true, nil
	case d.agreed > 0:
		return true, a.fail(ctx, key, have, want, reasonContradicted, contradiction(d.err))
	case errors.Is(d.err, engine.ErrFailed) && kinds[key.Kind].endsDeletion != nil && lasted >= failurePatience:
		return false, a.refuse(ctx, key, have, want, reasonFailed, d.err)
	case d.failed == 1 && lasted < problemGrace: // two clients may remove it at a time
		return true, a.showDeletion(ctx, have, want, nil)
	}
	return true, a.fail(ctx, key, have, want, reasonFailed, d.err)
}

// engineMessage returns the engine's error without the prefix of RDD's error kinds.
func engineMessage(err error) string {
	text := err.Error()
	for _, kind := range []error{engine.ErrRefused, engine.ErrFailed} {
		if errors.Is(err, kind) {
			text = strings.TrimPrefix(text, kind.Error()+": ")
		}
	}
	return printable.Text(text, maxMessage)
}

func contradiction(err error) error {
	if err == nil {
		return errors.New("the engine reports the object removed, but still lists it")
	}
	return fmt.Errorf("the engine reports %q, but still lists the object", err.Error())
}

// fail reports on a mirror why the engine has not removed its object. The removal is
// retried.
func (a *actor) fail(ctx context.Context, key engine.Key, have, want client.Object, reason string, err error) error {
	message := engineMessage(err)
	a.problems.note(key, []string{have.GetName()}, containersv1alpha1.ReasonDeletionFailed, errors.New(message), 0)
	// The message stays for a while: an engine's errors may have random parts, and
	// each change is a write.
	if known := a.problems.of(key, have.GetName()); known != nil && known.reason == containersv1alpha1.ReasonDeletionFailed {
		message = known.message
	}
	return a.showDeletion(ctx, have, want, &metav1.Condition{
		Type:    containersv1alpha1.ConditionDeleting,
		Status:  metav1.ConditionFalse,
		Reason:  reason,
		Message: message,
	})
}

// showDeletion writes the state of a deleted mirror's object, and a condition; nil
// for no new one.
func (a *actor) showDeletion(ctx context.Context, have, want client.Object, condition *metav1.Condition) error {
	now := a.clock.Now()
	updated := withStatus(have, want, now)
	if condition != nil {
		same := updated == nil
		if same {
			updated = have.DeepCopyObject().(client.Object)
		}
		condition.ObservedGeneration = have.GetGeneration()
		condition.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		if !bounded.Set(conditionsOf(updated), *condition) && same {
			updated = nil
		}
	}
	return a.writeDeletion(ctx, a.notices.inWrite(keyOf(have), have, updated))
}

// writeDeletion writes the status of a deleted mirror; nil for no change.
func (a *actor) writeDeletion(ctx context.Context, updated client.Object) error {
	if updated == nil {
		return nil
	}
	return client.IgnoreNotFound(a.writer.status(ctx, updated))
}

// deletionIsMeant reports whether the deletion of a mirror is meant for the engine.
// It is not if the mirror is garbage of the deleted ContainerEngine or namespace.
// Their deletion was written before the mirror's, so it reads the API server and not
// a cache.
func (a *actor) deletionIsMeant(ctx context.Context) (bool, error) {
	return deletionCounts(ctx, a.reader, a.owner.namespace, a.owner.name, func(e *containersv1alpha1.ContainerEngine) bool {
		return e.UID == a.owner.reference.UID
	})
}

// deletionCounts reports whether deletions of the mirrors of a ContainerEngine are
// meant for the engine: the ContainerEngine exists, runs, and is the expected one,
// and its namespace is not being deleted.
func deletionCounts(ctx context.Context, reader client.Reader, namespace, name string, expected func(*containersv1alpha1.ContainerEngine) bool) (bool, error) {
	var e containersv1alpha1.ContainerEngine
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &e); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	if !expected(&e) || !e.ShouldRun() {
		return false, nil
	}
	var n corev1.Namespace
	if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, &n); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return n.DeletionTimestamp == nil, nil
}
