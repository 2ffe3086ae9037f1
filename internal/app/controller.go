// SPDX-License-Identifier: Apache-2.0

// Package app is the controller of the App: it creates a ContainerEngine for the
// desired state, and a LimaVM unless the spec names an existing engine, and reports
// when everything is settled.
package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/finalizer"
)

// held is the finalizer on everything that the App owns: no other client deletes it.
const held = finalizer.OwnedBy + "App"

// namespacePoll is the interval of checks for the end of a namespace's deletion.
const namespacePoll = time.Second

// Setup adds the controller of the App to its host.
func Setup(host manager.Host) error {
	docker, err := newDockerContext(host)
	if err != nil {
		return err
	}
	if err := setupDiagnostics(host); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(host).
		Named("app").
		WithOptions(controller.Options{NewQueue: manager.NewQueue}).
		// All changes, of the status too: the controller reverts what another client
		// writes there.
		For(&appv1alpha1.App{}).
		// All engines: one whose owner reference a client removed still belongs to the
		// App.
		Watches(&containersv1alpha1.ContainerEngine{}, handler.EnqueueRequestsFromMapFunc(theApp), builder.WithPredicates(engineChanged)).
		Watches(&limav1alpha1.LimaVM{}, handler.EnqueueRequestsFromMapFunc(theApp), builder.WithPredicates(ofTheApp, machineChanged)).
		WatchesRawSource(docker.waker.Source()).
		Complete(manager.Patient(&reconciler{
			client: host.GetClient(), reader: host.GetAPIReader(), docker: docker, machines: newMachines(host.Instance),
		}))
}

func theApp(context.Context, client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: appv1alpha1.AppName}}}
}

// engineChanged passes changes that the App's conditions depend on. Numbers of
// containers are not among them.
var engineChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*containersv1alpha1.ContainerEngine)
		after, ok2 := e.ObjectNew.(*containersv1alpha1.ContainerEngine)
		return !ok || !ok2 || before.Generation != after.Generation ||
			!apiequality.Semantic.DeepEqual(before.OwnerReferences, after.OwnerReferences) ||
			!slices.Equal(before.Finalizers, after.Finalizers) ||
			before.Status.ObservedGeneration != after.Status.ObservedGeneration ||
			before.Status.Failed != after.Status.Failed ||
			!apiequality.Semantic.DeepEqual(before.Status.Conditions, after.Status.Conditions)
	},
}

// ofTheApp passes objects with the name of the App's virtual machine.
var ofTheApp = predicate.NewPredicateFuncs(func(object client.Object) bool { return object.GetName() == appv1alpha1.VMName })

// machineChanged passes all changes but those of the progress.
var machineChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*limav1alpha1.LimaVM)
		after, ok2 := e.ObjectNew.(*limav1alpha1.LimaVM)
		if !ok || !ok2 || before.Generation != after.Generation || !maps.Equal(before.Annotations, after.Annotations) ||
			!slices.Equal(before.Finalizers, after.Finalizers) {
			return true
		}
		was, is := before.Status, after.Status
		was.Progress, is.Progress = nil, nil
		return !apiequality.Semantic.DeepEqual(was, is)
	},
}

// reconciler reads from the API server, not from a cache: a cache may not have the
// controller's own last write yet.
type reconciler struct {
	client client.Client
	reader client.Reader
	docker *dockerContext
	// machines is nil if there can't be a virtual machine.
	machines *machines
}

// scope is one reconcile of the App.
type scope struct {
	*reconciler
	before *appv1alpha1.App
	app    *appv1alpha1.App
	// vm is the LimaVM that the App owns, and template the ConfigMap with its template;
	// nil if they don't exist.
	vm       *limav1alpha1.LimaVM
	template *corev1.ConfigMap
	// owned are the ContainerEngines that the App owns, and engine the one that the
	// spec names; nil if it does not exist.
	owned  []*containersv1alpha1.ContainerEngine
	engine *containersv1alpha1.ContainerEngine
	// leaving is whether an engine of the previous spec still exists.
	leaving bool
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (_ reconcile.Result, err error) {
	app := &appv1alpha1.App{}
	if err := r.reader.Get(ctx, request.NamespacedName, app); err != nil {
		if apierrors.IsNotFound(err) {
			r.docker.remove()
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	// The finalizer keeps the App until everything that it owns is deleted.
	if err := finalizer.Ensure(ctx, r.client, app, finalizer.Cleanup); err != nil {
		return reconcile.Result{}, err
	}
	s := &scope{reconciler: r, before: app.DeepCopy(), app: app}
	defer func() { err = errors.Join(err, manager.PatchStatus(ctx, s.client, s.before, s.app)) }()

	if app.DeletionTimestamp != nil {
		return reconcile.Result{}, s.delete(ctx)
	}
	err = s.ensure(ctx)
	s.report(ctx, err)
	if errors.As(err, new(*rejectedError)) {
		return reconcile.Result{}, nil // only another spec can succeed
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{RequeueAfter: namespacePoll}, nil
	}
	return reconcile.Result{}, err
}

// ensure brings the objects that the App owns to their desired state.
func (s *scope) ensure(ctx context.Context) error {
	if err := s.ensureNamespace(ctx); err != nil {
		return err
	}
	if err := s.readEngines(ctx); err != nil {
		return err
	}
	// An error of the virtual machine does not block the deletion of an engine.
	return errors.Join(s.ensureMachine(ctx), s.ensureEngine(ctx))
}

func (s *scope) ensureNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.app.Spec.Namespace}}
	err := s.reader.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	if apierrors.IsNotFound(err) {
		err = s.client.Create(ctx, namespace)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create the namespace %s: %w", s.app.Spec.Namespace, err)
	}
	return nil
}

// delete deletes what the App owns, the engine and its mirrors first, and then removes
// the App's finalizer.
func (s *scope) delete(ctx context.Context) error {
	apimeta.RemoveStatusCondition(&s.app.Status.Conditions, appv1alpha1.ConditionStalled)
	s.docker.remove()
	s.reportContext(s.docker.state())
	if err := s.readEngines(ctx); err != nil {
		return err
	}
	for _, e := range s.owned {
		if err := s.deleteEngine(ctx, e); err != nil {
			return err
		}
	}
	if len(s.owned) > 0 {
		return nil // their deletion wakes this reconciler
	}
	machineGone, err := s.deleteMachine(ctx)
	if err != nil || !machineGone || !s.docker.idle() {
		return err
	}
	return finalizer.Release(ctx, s.client, s.app, finalizer.Cleanup)
}
