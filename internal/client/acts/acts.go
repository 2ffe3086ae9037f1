// SPDX-License-Identifier: Apache-2.0

// Package acts changes containers, images and volumes through their mirrors, and waits
// for the engine's answer.
package acts

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/printable"
)

// Act requests an action of a container, and returns when the engine has answered.
func Act(ctx context.Context, s *client.Session, m *containersv1alpha1.Container, action containersv1alpha1.Action) error {
	if err := awaitAction(ctx, s, m); err != nil { // another client's
		return err
	}
	api, err := s.API()
	if err != nil {
		return err
	}
	requested := m.DeepCopy()
	metav1.SetMetaDataAnnotation(&requested.ObjectMeta, containersv1alpha1.ActionAnnotation, string(action))
	if err := api.Patch(ctx, requested, ctrlclient.MergeFrom(m)); err != nil {
		return err
	}
	if err := awaitAction(ctx, s, requested); err != nil {
		return err
	}
	if last := requested.Status.LastAction; last != nil && last.Action == action && last.State == containersv1alpha1.ActionFailed {
		return errors.New(printable.Text(last.Error, 0))
	}
	m.Status = requested.Status
	return nil
}

// awaitAction waits until a container has no action pending, and updates m.
func awaitAction(ctx context.Context, s *client.Session, m *containersv1alpha1.Container) error {
	return await(ctx, s, m, func() bool { return m.Annotations[containersv1alpha1.ActionAnnotation] == "" })
}

// await waits until a condition holds for a container, of which it keeps m current.
func await(ctx context.Context, s *client.Session, m *containersv1alpha1.Container, holds func() bool) error {
	if holds() {
		return nil
	}
	return s.Wait(ctx, listOf(m), ctrlclient.ObjectKeyFromObject(m), func(now ctrlclient.Object) (bool, error) {
		if now == nil {
			return false, errors.New("it was removed")
		}
		now.(*containersv1alpha1.Container).DeepCopyInto(m)
		return holds(), nil
	})
}

// listOf returns what makes an empty list of a mirror's kind.
func listOf(m ctrlclient.Object) func() ctrlclient.ObjectList {
	switch m.(type) {
	case *containersv1alpha1.Image:
		return func() ctrlclient.ObjectList { return &containersv1alpha1.ImageList{} }
	case *containersv1alpha1.Volume:
		return func() ctrlclient.ObjectList { return &containersv1alpha1.VolumeList{} }
	}
	return func() ctrlclient.ObjectList { return &containersv1alpha1.ContainerList{} }
}

// Wait waits until a container has stopped, and returns its exit code.
func Wait(ctx context.Context, s *client.Session, m *containersv1alpha1.Container) (int32, error) {
	err := await(ctx, s, m, func() bool {
		return m.Status.Status == containersv1alpha1.PhaseExited || m.Status.Status == containersv1alpha1.PhaseDead
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
func Remove(ctx context.Context, s *client.Session, m ctrlclient.Object, force bool) error {
	api, err := s.API()
	if err != nil {
		return err
	}
	if annotations := m.GetAnnotations(); force && annotations[containersv1alpha1.ForceAnnotation] != "true" {
		before := m.DeepCopyObject().(ctrlclient.Object)
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[containersv1alpha1.ForceAnnotation] = "true"
		m.SetAnnotations(annotations)
		if err := api.Patch(ctx, m, ctrlclient.MergeFrom(before)); err != nil {
			return err
		}
	}
	uid := m.GetUID()
	if err := api.Delete(ctx, m, ctrlclient.Preconditions{UID: &uid}); err != nil {
		return ctrlclient.IgnoreNotFound(err)
	}
	return s.Wait(ctx, listOf(m), ctrlclient.ObjectKeyFromObject(m), func(now ctrlclient.Object) (bool, error) {
		if now == nil {
			return true, nil
		}
		conditions, _ := listing.Conditions(now)
		refused, words, failed := diagnostics.DeletionOf(now, conditions)
		switch {
		case now.GetUID() != uid && !refused:
			return true, nil // a new object of the same name
		case failed:
			return false, errors.New(printable.Text(words, 0))
		}
		return false, nil
	})
}
