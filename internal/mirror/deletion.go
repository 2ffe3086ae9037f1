// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// delete deals with a mirror that somebody deleted while the engine still has
// what it stands for, which want says: the engine is to remove it. The mirror goes
// when a later sync finds that the engine has. What have says may be nothing yet:
// it may be deleted before its status was written.
func (s *Session) delete(ctx context.Context, key engine.Key, have, want client.Object) error {
	meant, err := s.deletionIsMeant(ctx)
	if err != nil || !meant {
		return err
	}
	err = s.engine.Remove(ctx, key, tagOf(want))
	if errors.Is(err, errors.ErrUnsupported) && key.Kind == engine.KindNamespace {
		return s.namespaces.release(ctx, key, have)
	}
	if errors.Is(err, engine.ErrRefused) {
		return errors.Join(err, s.showRefusal(ctx, have, want, err))
	}
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return fmt.Errorf("remove %s %s: %w", key.Kind, key.ID, err)
	}
	s.queue.Add(key)
	return nil
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

// showRefusal puts the engine's words on the mirror that it refuses to remove,
// which goes on to be what want says.
func (s *Session) showRefusal(ctx context.Context, have, want client.Object, refusal error) error {
	updated := withStatus(have, want, s.clock.Now())
	same := updated == nil
	if same {
		updated = have.DeepCopyObject().(client.Object)
	}
	news := apimeta.SetStatusCondition(conditionsOf(updated), metav1.Condition{
		Type:               containersv1alpha1.ConditionDeleting,
		Status:             metav1.ConditionFalse,
		Reason:             "Refused",
		Message:            refusal.Error(),
		LastTransitionTime: metav1.NewTime(s.clock.Now()),
	})
	if news {
		s.events.Event(have, corev1.EventTypeWarning, "DeletionRefused", refusal.Error())
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
