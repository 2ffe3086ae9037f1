// SPDX-License-Identifier: Apache-2.0

// Package acts changes containers, images and volumes through their mirrors, and waits
// for the engine's answer.
package acts

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// interval is how often a wait reads the object.
const interval = 50 * time.Millisecond

// Act requests an action of a container, and returns when the engine has answered.
func Act(ctx context.Context, c client.Client, m *containersv1alpha1.Container, action containersv1alpha1.Action) error {
	if err := awaitAction(ctx, c, m); err != nil { // another client's
		return err
	}
	requested := m.DeepCopy()
	metav1.SetMetaDataAnnotation(&requested.ObjectMeta, containersv1alpha1.ActionAnnotation, string(action))
	if err := c.Patch(ctx, requested, client.MergeFrom(m)); err != nil {
		return err
	}
	if err := awaitAction(ctx, c, requested); err != nil {
		return err
	}
	if last := requested.Status.LastAction; last != nil && last.Action == action && last.State == containersv1alpha1.ActionFailed {
		return errors.New(printable.Text(last.Error, 0))
	}
	m.Status = requested.Status
	return nil
}

// awaitAction waits until a container has no action pending, and updates m.
func awaitAction(ctx context.Context, c client.Client, m *containersv1alpha1.Container) error {
	return poll(ctx, func() (bool, error) {
		if m.Annotations[containersv1alpha1.ActionAnnotation] == "" {
			return true, nil
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, gone(err)
		}
		return m.Annotations[containersv1alpha1.ActionAnnotation] == "", nil
	})
}

// gone explains the error for an object that the engine removed.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return errors.New("it was removed")
	}
	return err
}

func poll(ctx context.Context, done func() (bool, error)) error {
	return wait.PollUntilContextCancel(ctx, interval, true, func(context.Context) (bool, error) { return done() })
}

// Wait waits until a container has stopped, and returns its exit code.
func Wait(ctx context.Context, c client.Client, m *containersv1alpha1.Container) (int32, error) {
	err := poll(ctx, func() (bool, error) {
		switch m.Status.Status {
		case containersv1alpha1.PhaseExited, containersv1alpha1.PhaseDead:
			return true, nil
		}
		return false, gone(c.Get(ctx, client.ObjectKeyFromObject(m), m))
	})
	return m.Status.ExitCode, err
}

// CheckRemovable refuses a container that Docker removes only by force.
func CheckRemovable(m *containersv1alpha1.Container) error {
	switch m.Status.Status {
	case containersv1alpha1.PhaseRunning, containersv1alpha1.PhaseRestarting, containersv1alpha1.PhasePaused:
		return fmt.Errorf("the container is %s: stop it first, or use --force", m.Status.Status)
	}
	return nil
}

// Remove deletes a mirror, and returns when the engine has removed its object or refused
// that. force requests the engine's forced remove.
func Remove(ctx context.Context, c client.Client, m client.Object, force bool) error {
	if force && m.GetAnnotations()[containersv1alpha1.ForceAnnotation] != "true" {
		before := m.DeepCopyObject().(client.Object)
		annotations := map[string]string{containersv1alpha1.ForceAnnotation: "true"}
		for key, value := range m.GetAnnotations() {
			if key != containersv1alpha1.ForceAnnotation {
				annotations[key] = value
			}
		}
		m.SetAnnotations(annotations)
		if err := c.Patch(ctx, m, client.MergeFrom(before)); err != nil {
			return err
		}
	}
	uid := m.GetUID()
	if err := c.Delete(ctx, m, client.Preconditions{UID: &uid}); err != nil {
		return client.IgnoreNotFound(err)
	}
	return poll(ctx, func() (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		refused, words, failed := diagnostics.DeletionOf(m, conditionsOf(m))
		switch {
		case m.GetUID() != uid && !refused:
			return true, nil // a new object of the same name
		case failed:
			return false, errors.New(printable.Text(words, 0))
		}
		return false, nil
	})
}

// conditionsOf returns the conditions of a mirror.
func conditionsOf(m client.Object) []metav1.Condition {
	switch m := m.(type) {
	case *containersv1alpha1.Container:
		return m.Status.Conditions
	case *containersv1alpha1.Image:
		return m.Status.Conditions
	case *containersv1alpha1.Volume:
		return m.Status.Conditions
	}
	return nil
}
