// SPDX-License-Identifier: Apache-2.0

// Package app is the controller of the App: it turns what the user wants into a
// ContainerEngine, and a LimaVM where no engine is there already, and tells the
// user when it has come true.
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

// held is on everything that the App owns: no other client deletes it.
const held = finalizer.OwnedBy + "App"

// namespacePoll is the wait for a namespace that is being deleted to be gone.
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
		// Every change of it, its status too: what another client wrote there is put right.
		For(&appv1alpha1.App{}).
		// All of them, as one from which a client took the reference to the App is
		// the App's still.
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

// engineChanged lets through what the App's conditions speak of. How many
// containers there are is none of it.
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

// ofTheApp lets through what may be the App's virtual machine.
var ofTheApp = predicate.NewPredicateFuncs(func(object client.Object) bool { return object.GetName() == appv1alpha1.VMName })

// machineChanged lets through all but how far something is.
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

// reconciler reads the API server itself: a cache may be behind what this
// controller has just written, and show an engine that is as it was before.
type reconciler struct {
	client client.Client
	reader client.Reader
	docker *dockerContext
	// machines is nil where there can't be a virtual machine.
	machines *machines
}

// scope is one reconcile of the App.
type scope struct {
	*reconciler
	before *appv1alpha1.App
	app    *appv1alpha1.App
	// vm is the LimaVM that the App owns, and template the ConfigMap with that
	// one's template; nil where there is none.
	vm       *limav1alpha1.LimaVM
	template *corev1.ConfigMap
	// owned are the ContainerEngines that the App owns, and engine the one that the
	// spec asks for; nil where there is none.
	owned  []*containersv1alpha1.ContainerEngine
	engine *containersv1alpha1.ContainerEngine
	// leaving says that an engine of the setting before is still there.
	leaving bool
}

// Reconcile implements [reconcile.Reconciler].
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (_ reconcile.Result, err error) {
	app := &appv1alpha1.App{}
	if err := r.reader.Get(ctx, request.NamespacedName, app); err != nil {
		if apierrors.IsNotFound(err) {
			r.docker.gone()
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	// It goes when everything that the App owns has.
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
		return reconcile.Result{}, nil // another spec alone helps
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{RequeueAfter: namespacePoll}, nil
	}
	return reconcile.Result{}, err
}

// ensure makes what the App owns as the spec says.
func (s *scope) ensure(ctx context.Context) error {
	if err := s.ensureNamespace(ctx); err != nil {
		return err
	}
	if err := s.readEngines(ctx); err != nil {
		return err
	}
	// A virtual machine that can't be had keeps no engine from being let go.
	return errors.Join(s.ensureMachine(ctx), s.ensureEngine(ctx))
}

func (s *scope) ensureNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.app.Spec.Namespace}}
	err := s.reader.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	if apierrors.IsNotFound(err) {
		err = s.client.Create(ctx, namespace)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the namespace %s: %w", s.app.Spec.Namespace, err)
	}
	return nil
}

// delete removes what the App owns, the engine's mirrors first, and then lets the
// App go.
func (s *scope) delete(ctx context.Context) error {
	contextGone := s.docker.gone()
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
		return nil // its end wakes this reconciler
	}
	machineGone, err := s.deleteMachine(ctx)
	if err != nil || !machineGone || !contextGone {
		return err
	}
	return finalizer.Release(ctx, s.client, s.app, finalizer.Cleanup)
}
