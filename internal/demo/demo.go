// SPDX-License-Identifier: Apache-2.0

// Package demo is a minimal example of a controller with all parts: it reconciles Demo
// objects, has admission in code, and serves endpoints. docs/extending.md explains it.
package demo

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// Controllers returns the controller of Demos.
func Controllers() []manager.Controller {
	return []manager.Controller{{
		Name:        "demo",
		Group:       "app",
		Definitions: []manifest.Source{{Files: appv1alpha1.Files, Path: "crds/app.rancherdesktop.io_demos.yaml"}},
		Claims: []manager.Claim{{
			Resource:   appv1alpha1.GroupVersion.WithResource("demos"),
			Conditions: []string{appv1alpha1.ConditionReady},
		}},
		Hooks:       []admission.Hook{hook()},
		AddToScheme: appv1alpha1.AddToScheme,
		Setup:       setup,
	}}
}

func setup(host manager.Host) error {
	host.Serve("hello", hello())
	host.Serve("websocket", websocketEcho())
	return ctrl.NewControllerManagedBy(host).
		Named("demo").
		WithOptions(controller.Options{NewQueue: manager.NewQueue}).
		For(&appv1alpha1.Demo{}, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, liveness.WhenMarked(conditionsOf)))).
		Complete(manager.Patient(&reconciler{client: host.GetClient()}))
}

func conditionsOf(obj client.Object) []metav1.Condition {
	if demo, ok := obj.(*appv1alpha1.Demo); ok {
		return demo.Status.Conditions
	}
	return nil
}

type reconciler struct{ client client.Client }

// Reconcile implements [reconcile.Reconciler]: it writes the greeting into the status,
// unless it is up to date.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	demo := &appv1alpha1.Demo{}
	if err := r.client.Get(ctx, request.NamespacedName, demo); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	before := demo.DeepCopy()
	message, err := greet(demo)
	if err != nil { // admission rejects it, but the object may be older
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("greet %s: %w", request, err))
	}
	demo.Status.Message = message
	demo.Status.ObservedGeneration = demo.Generation
	bounded.Set(&demo.Status.Conditions, metav1.Condition{
		Type:               appv1alpha1.ConditionReady,
		Status:             metav1.ConditionTrue,
		ObservedGeneration: demo.Generation,
		Reason:             appv1alpha1.ReasonGreeted,
		Message:            "the message is up to date",
	})
	return reconcile.Result{}, manager.PatchStatus(ctx, r.client, before, demo)
}
