// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/bounded"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// delete deals with a mirror that somebody deleted while the engine still has
// what it stands for, which want says: the engine is to remove it. The mirror goes
// when a later sync finds that the engine has. What have says may be nothing yet:
// it may be deleted before its status was written.
func (s *Session) delete(ctx context.Context, key engine.Key, have, want client.Object) error {
	if rest := s.deletions.rest(have.GetUID(), s.clock.Now()); rest > 0 {
		s.queue.AddAfter(key, rest)
		return nil
	}
	meant, err := s.deletionIsMeant(ctx)
	if err != nil || !meant {
		return err
	}
	err = s.removeInEngine(ctx, key, tagOf(want))
	if errors.Is(err, errors.ErrUnsupported) && key.Kind == engine.KindNamespace {
		return s.namespaces.release(ctx, key, have)
	}
	if errors.Is(err, engine.ErrRefused) {
		return errors.Join(err, s.showUndeleted(ctx, have, want, "Refused", err.Error()))
	}
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("remove %s %s: %w", key.Kind, key.ID, err)
	}
	times, pause := s.deletions.agreed(have.GetUID(), s.clock.Now())
	s.queue.AddAfter(key, pause)
	if times < contradictions {
		return nil
	}
	said := "the engine says that it has removed it, and shows it nevertheless"
	if err != nil {
		said = fmt.Sprintf("the engine says %q, and shows it nevertheless", err)
	}
	return s.showUndeleted(ctx, have, want, "Contradicted", said)
}

// contradictions is how often an engine may say that it has not got what it shows
// before that is told: it may be a moment behind itself.
const contradictions = 3

// deletions are those to which an engine agreed, and of which the mirror is not
// gone yet: once is what always happens, twice is an engine that contradicts
// itself. It is then asked ever more rarely, whatever events it sends.
type deletions struct {
	limiter workqueue.TypedRateLimiter[types.UID]

	mu   sync.Mutex
	next map[types.UID]time.Time // guarded by mu; not to be asked before
}

func newDeletions() *deletions {
	return &deletions{
		limiter: workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](retryMin, retryMax),
		next:    map[types.UID]time.Time{},
	}
}

// rest returns for how long the engine is not to be asked.
func (d *deletions) rest(uid types.UID, now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.next[uid].Sub(now) // negative where there is none
}

// agreed notes that the engine agreed, and returns how often it has, and when to
// look again: the first time at once.
func (d *deletions) agreed(uid types.UID, now time.Time) (times int, pause time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pause = d.limiter.When(uid)
	if times = d.limiter.NumRequeues(uid); times == 1 {
		pause = 0
	}
	d.next[uid] = now.Add(pause)
	return times, pause
}

// forget takes that a mirror is gone.
func (d *deletions) forget(uid types.UID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.next, uid)
	d.limiter.Forget(uid)
}

// clear forgets all, as the next connection may be to an engine that has come to
// its senses.
func (d *deletions) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for uid := range d.next {
		d.limiter.Forget(uid)
	}
	clear(d.next)
}

// deletionIsMeant reports whether the deletion of a mirror is meant for the
// engine. It is not where it comes from the deletion of the ContainerEngine or
// of the whole namespace, whose garbage the mirrors then are. Either was
// written before the mirror was deleted, so asking the API server itself, and
// no cache, tells for sure.
func (s *Session) deletionIsMeant(ctx context.Context) (bool, error) {
	var e containersv1alpha1.ContainerEngine
	err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.owner.namespace, Name: s.owner.name}, &e)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if e.UID != s.owner.reference.UID || !e.ShouldRun() {
		return false, nil
	}
	var namespace corev1.Namespace
	if err := s.reader.Get(ctx, client.ObjectKey{Name: s.owner.namespace}, &namespace); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return namespace.DeletionTimestamp == nil, nil
}

// showUndeleted puts on a mirror why the engine does not remove what it stands
// for. It goes on to be what want says.
func (s *Session) showUndeleted(ctx context.Context, have, want client.Object, reason, message string) error {
	updated := withStatus(have, want, s.clock.Now())
	same := updated == nil
	if same {
		updated = have.DeepCopyObject().(client.Object)
	}
	news := bounded.Set(conditionsOf(updated), metav1.Condition{
		Type:               containersv1alpha1.ConditionDeleting,
		Status:             metav1.ConditionFalse,
		Reason:             reason,
		Message:            message,
		LastTransitionTime: metav1.NewTime(s.clock.Now()),
	})
	if news {
		s.events.Event(have, corev1.EventTypeWarning, "Deletion"+reason, message)
	} else if same {
		return nil // it says so already
	}
	if err := s.client.Status().Update(ctx, updated); err != nil {
		return err
	}
	s.table.wrote(updated)
	s.counted("update", updated)
	return nil
}

func conditionsOf(obj client.Object) *[]metav1.Condition {
	switch o := obj.(type) {
	case *containersv1alpha1.Container:
		return &o.Status.Conditions
	case *containersv1alpha1.Image:
		return &o.Status.Conditions
	case *containersv1alpha1.Volume:
		return &o.Status.Conditions
	case *containersv1alpha1.ContainerNamespace:
		return &o.Status.Conditions
	}
	return &[]metav1.Condition{}
}
