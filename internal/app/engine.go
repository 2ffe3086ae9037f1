// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

// readEngines reads the ContainerEngines that the App owns, including those whose owner
// reference a client removed: they have the App's finalizer.
func (s *scope) readEngines(ctx context.Context) error {
	var all containersv1alpha1.ContainerEngineList
	if err := s.reader.List(ctx, &all, client.InNamespace(s.app.Spec.Namespace)); err != nil {
		return err
	}
	for i := range all.Items {
		e := &all.Items[i]
		orphan := metav1.GetControllerOf(e) == nil && controllerutil.ContainsFinalizer(e, held)
		if !orphan && !metav1.IsControlledBy(e, s.app) {
			continue
		}
		s.owned = append(s.owned, e)
		if e.Name == string(s.app.Spec.ContainerEngine.Name) && e.DeletionTimestamp == nil {
			s.engine = e
		}
	}
	// These belong to the previous spec, or their namespace is being deleted.
	s.leaving = slices.ContainsFunc(s.owned, func(e *containersv1alpha1.ContainerEngine) bool { return e != s.engine })
	return nil
}

// endpoint returns the endpoint of the engine that the spec describes; empty if it is
// unknown.
func (s *scope) endpoint() string {
	wanted := s.app.Spec.ContainerEngine
	switch {
	case wanted.Endpoint != "":
		return wanted.Endpoint
	case s.machines == nil:
		return ""
	}
	return endpoint.ForSocket(s.machines.sockets[wanted.Name])
}

// shouldConnect reports whether the engine should be mirrored. An engine in the virtual
// machine is connected when the machine is up to date with the spec, and from then on
// also during restarts, so that the mirrors stay.
func (s *scope) shouldConnect() bool {
	switch {
	case !s.app.Spec.Running:
		return false
	case s.app.Spec.ContainerEngine.Endpoint != "":
		return true
	case s.resetPending():
		return false
	case s.machineUp():
		return true
	}
	return s.engine != nil && s.engine.ShouldRun() && s.engine.Spec.Endpoint == s.endpoint()
}

// disconnected reports whether all engines in the virtual machine are disconnected.
func (s *scope) disconnected() bool {
	for _, e := range s.owned {
		if e.Spec.Endpoint != s.endpoint() && e == s.engine {
			continue // it is not in the virtual machine
		}
		ready := apimeta.FindStatusCondition(e.Status.Conditions, containersv1alpha1.ConditionReady)
		if e.ShouldRun() || ready == nil || ready.ObservedGeneration != e.Generation || ready.Reason != containersv1alpha1.ReasonStopped {
			return false
		}
	}
	return true
}

// connection returns the value of the reconnect request for the engine, which is new
// for each start of the virtual machine; empty if there is none.
func (s *scope) connection() string {
	if s.app.Spec.ContainerEngine.Endpoint != "" || !s.machineUp() || s.vm.Status.StartedAt == nil {
		return ""
	}
	return "started " + s.vm.Status.StartedAt.UTC().Format(time.RFC3339Nano)
}

// ensureEngine brings the App's ContainerEngine to its desired state. It deletes an
// engine of another type before it creates the new one.
func (s *scope) ensureEngine(ctx context.Context) error {
	for _, e := range s.owned {
		if e == s.engine {
			continue
		}
		if err := s.deleteEngine(ctx, e); err != nil {
			return err
		}
	}
	switch {
	case s.leaving:
		return nil // its deletion wakes this reconciler
	case s.engine != nil:
		return s.updateEngine(ctx)
	case s.shouldConnect():
		return s.createEngine(ctx)
	}
	return nil
}

func (s *scope) createEngine(ctx context.Context) error {
	e := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{
			Name:       string(s.app.Spec.ContainerEngine.Name),
			Namespace:  s.app.Spec.Namespace,
			Finalizers: []string{held},
		},
		Spec: containersv1alpha1.ContainerEngineSpec{
			Type:     containersv1alpha1.EngineType(s.app.Spec.ContainerEngine.Name),
			Endpoint: s.endpoint(),
			Running:  ptr.To(true),
		},
	}
	s.requestConnection(e)
	if err := controllerutil.SetControllerReference(s.app, e, s.client.Scheme()); err != nil {
		return err
	}
	if err := s.client.Create(ctx, e); err != nil {
		return fmt.Errorf("create the ContainerEngine %s: %w", e.Name, err)
	}
	s.engine = e
	return nil
}

// requestConnection requests a connection to the engine of the virtual machine's last
// start.
func (s *scope) requestConnection(e *containersv1alpha1.ContainerEngine) {
	if request := s.connection(); request != "" {
		metav1.SetMetaDataAnnotation(&e.ObjectMeta, containersv1alpha1.ReconnectAnnotation, request)
	}
}

func (s *scope) updateEngine(ctx context.Context) error {
	updated := s.engine.DeepCopy()
	updated.Spec.Running = ptr.To(s.shouldConnect())
	if endpoint := s.endpoint(); endpoint != "" {
		updated.Spec.Endpoint = endpoint
	}
	s.requestConnection(updated)
	controllerutil.AddFinalizer(updated, held)
	if metav1.GetControllerOf(updated) == nil {
		if err := controllerutil.SetControllerReference(s.app, updated, s.client.Scheme()); err != nil {
			return err
		}
	}
	if apiequality.Semantic.DeepEqual(updated, s.engine) {
		return nil
	}
	if err := s.client.Patch(ctx, updated, client.MergeFrom(s.engine)); err != nil {
		return fmt.Errorf("update the ContainerEngine %s: %w", updated.Name, err)
	}
	s.engine = updated
	return nil
}

// deleteEngine deletes an engine, and removes the App's finalizer from it once its
// mirrors are gone.
func (s *scope) deleteEngine(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	if e.DeletionTimestamp == nil {
		return client.IgnoreNotFound(s.client.Delete(ctx, e))
	}
	return finalizer.ReleaseLast(ctx, s.client, e, held)
}
