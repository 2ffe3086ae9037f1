// SPDX-License-Identifier: Apache-2.0

// Package app is the controller of the App: it turns what the user wants into a
// ContainerEngine, and tells the user when it has come true.
package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/finalizer"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// held is on everything that the App owns: nobody else deletes it.
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
		For(&appv1alpha1.App{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// All of them, as one from which somebody took the reference to the App is
		// the App's still.
		Watches(&containersv1alpha1.ContainerEngine{}, handler.EnqueueRequestsFromMapFunc(theApp), builder.WithPredicates(engineChanged)).
		WatchesRawSource(source.Func(docker.takeQueue)).
		Complete(manager.Patient(&reconciler{client: host.GetClient(), reader: host.GetAPIReader(), docker: docker}))
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
			before.Status.ObservedGeneration != after.Status.ObservedGeneration ||
			!apiequality.Semantic.DeepEqual(before.Status.Conditions, after.Status.Conditions)
	},
}

// reconciler reads the API server itself: a cache may be behind what this
// controller has just written, and show an engine that is as it was before.
type reconciler struct {
	client client.Client
	reader client.Reader
	docker *dockerContext
}

// scope is one reconcile of the App.
type scope struct {
	client client.Client
	reader client.Reader
	docker *dockerContext
	before *appv1alpha1.App
	app    *appv1alpha1.App
	// engine is the ContainerEngine that the App owns; nil where there is none.
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
	s := &scope{client: r.client, reader: r.reader, docker: r.docker, before: app.DeepCopy(), app: app}
	defer func() { err = errors.Join(err, s.patchStatus(ctx)) }()

	if app.DeletionTimestamp != nil {
		return reconcile.Result{}, s.delete(ctx)
	}
	err = s.ensureNamespace(ctx)
	if err == nil {
		err = s.ensureEngine(ctx)
	}
	s.report(ctx, err)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return reconcile.Result{RequeueAfter: namespacePoll}, nil
	}
	return reconcile.Result{}, err
}

func (s *scope) patchStatus(ctx context.Context) error {
	if apiequality.Semantic.DeepEqual(s.before.Status, s.app.Status) {
		return nil
	}
	return client.IgnoreNotFound(s.client.Status().Patch(ctx, s.app, client.MergeFrom(s.before)))
}

func (s *scope) ensureNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.app.Spec.Namespace}}
	err := s.client.Create(ctx, namespace)
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the namespace %s: %w", s.app.Spec.Namespace, err)
	}
	return nil
}

// engines returns the ContainerEngines that the App owns: those that it holds,
// too, from which somebody took the reference to it.
func (s *scope) engines(ctx context.Context) ([]containersv1alpha1.ContainerEngine, error) {
	var all containersv1alpha1.ContainerEngineList
	if err := s.reader.List(ctx, &all, client.InNamespace(s.app.Spec.Namespace)); err != nil {
		return nil, err
	}
	var owned []containersv1alpha1.ContainerEngine
	for i := range all.Items {
		e := &all.Items[i]
		orphan := metav1.GetControllerOf(e) == nil && controllerutil.ContainsFinalizer(e, held)
		if orphan || metav1.IsControlledBy(e, s.app) {
			owned = append(owned, all.Items[i])
		}
	}
	return owned, nil
}

// ensureEngine makes the App's ContainerEngine what the spec says, and removes
// that of another kind of engine, before it makes its own.
func (s *scope) ensureEngine(ctx context.Context) error {
	owned, err := s.engines(ctx)
	if err != nil {
		return err
	}
	for i := range owned {
		if owned[i].Name == string(s.app.Spec.ContainerEngine.Name) && owned[i].DeletionTimestamp == nil {
			s.engine = &owned[i]
			continue
		}
		s.leaving = true // it is of the setting before, or its namespace goes
		if err := s.deleteEngine(ctx, &owned[i]); err != nil {
			return err
		}
	}
	endpoint := s.app.Spec.ContainerEngine.Endpoint
	switch {
	case s.leaving:
		return nil // its end wakes this reconciler
	case endpoint == "" && s.engine == nil:
		return nil
	case s.engine == nil && !s.app.Spec.Running:
		return nil
	case s.engine == nil:
		return s.createEngine(ctx, endpoint)
	}
	return s.updateEngine(ctx, endpoint)
}

func (s *scope) createEngine(ctx context.Context, endpoint string) error {
	e := &containersv1alpha1.ContainerEngine{
		ObjectMeta: metav1.ObjectMeta{
			Name:       string(s.app.Spec.ContainerEngine.Name),
			Namespace:  s.app.Spec.Namespace,
			Finalizers: []string{held},
		},
		Spec: containersv1alpha1.ContainerEngineSpec{
			Type:     containersv1alpha1.EngineType(s.app.Spec.ContainerEngine.Name),
			Endpoint: endpoint,
			Running:  ptr.To(s.app.Spec.Running),
		},
	}
	if err := controllerutil.SetControllerReference(s.app, e, s.client.Scheme()); err != nil {
		return err
	}
	if err := s.client.Create(ctx, e); err != nil {
		return fmt.Errorf("make the ContainerEngine %s: %w", e.Name, err)
	}
	s.engine = e
	return nil
}

func (s *scope) updateEngine(ctx context.Context, endpoint string) error {
	updated := s.engine.DeepCopy()
	updated.Spec.Running = ptr.To(s.app.Spec.Running && endpoint != "")
	if endpoint != "" {
		updated.Spec.Endpoint = endpoint
	}
	adopted := controllerutil.AddFinalizer(updated, held)
	if metav1.GetControllerOf(updated) == nil {
		adopted = true
		if err := controllerutil.SetControllerReference(s.app, updated, s.client.Scheme()); err != nil {
			return err
		}
	}
	if !adopted && apiequality.Semantic.DeepEqual(updated.Spec, s.engine.Spec) {
		return nil
	}
	if err := s.client.Patch(ctx, updated, client.MergeFrom(s.engine)); err != nil {
		return fmt.Errorf("update the ContainerEngine %s: %w", updated.Name, err)
	}
	s.engine = updated
	return nil
}

// deleteEngine deletes an engine, or holds one no longer that is being deleted.
func (s *scope) deleteEngine(ctx context.Context, e *containersv1alpha1.ContainerEngine) error {
	if e.DeletionTimestamp == nil {
		return client.IgnoreNotFound(s.client.Delete(ctx, e))
	}
	return finalizer.Release(ctx, s.client, e, held)
}

// delete removes what the App owns, and then lets the App go.
func (s *scope) delete(ctx context.Context) error {
	contextGone := s.docker.gone()
	s.app.Status.DockerContext = s.docker.name()
	owned, err := s.engines(ctx)
	if err != nil {
		return err
	}
	for i := range owned {
		if err := s.deleteEngine(ctx, &owned[i]); err != nil {
			return err
		}
	}
	if len(owned) > 0 || !contextGone {
		return nil // its end wakes this reconciler
	}
	return finalizer.Release(ctx, s.client, s.app, finalizer.Cleanup)
}

// report writes what is known into the status; failure is why not all that the
// spec asks for could be asked of others, whose conditions then are as they were.
func (s *scope) report(ctx context.Context, failure error) {
	s.app.Status.ObservedGeneration = s.app.Generation
	if failure != nil {
		s.set(appv1alpha1.ConditionSettled, metav1.Condition{
			Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonWaitingForEngine, Message: failure.Error(),
		})
		return
	}
	s.reportVM()
	s.reportEngine()
	s.set(appv1alpha1.ConditionSettled, s.keepContext(ctx, s.settled()))
}

const endpointHint = "this version of rdd can't make a virtual machine yet: name an engine that is there already, " +
	"as in `rdd set running=true containerEngine.endpoint=unix:///var/run/docker.sock`"

// reportVM says how the virtual machine is. There is none where the engine is
// there already.
func (s *scope) reportVM() {
	state := metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonNotApplicable,
		Message: "the engine is at containerEngine.endpoint"}
	if s.app.Spec.ContainerEngine.Endpoint == "" {
		state = metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonStopped, Message: "stopped"}
		if s.app.Spec.Running {
			state = metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonVMNotSupported, Message: endpointHint}
		}
	}
	s.set(appv1alpha1.ConditionCreated, state)
	s.set(appv1alpha1.ConditionRunning, state)
}

// reportEngine says how the engine is, where that is of this generation of the
// spec. Else what was said of an earlier one stays, as being of that.
func (s *scope) reportEngine() {
	ready, acted := s.ready()
	switch {
	case acted:
	case s.leaving:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting,
			Message: "the engine of the setting before is being disconnected"}
	case apimeta.FindStatusCondition(s.app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady) != nil:
		return
	default:
		ready = metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonConnecting, Message: "not acted on yet"}
	}
	s.app.Status.DockerSocket = ""
	if ready.Status == metav1.ConditionTrue && s.engine.Spec.Type == containersv1alpha1.EngineMoby {
		s.app.Status.DockerSocket = s.engine.Spec.Endpoint
	}
	s.set(appv1alpha1.ConditionContainerEngineReady, ready)
}

// ready returns how the engine is, and whether its controller has acted on what
// this generation of the spec asks of it.
func (s *scope) ready() (state metav1.Condition, acted bool) {
	switch {
	case s.leaving:
		return state, false
	case s.engine == nil:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: containersv1alpha1.ReasonStopped, Message: "stopped"}, true
	}
	ready := apimeta.FindStatusCondition(s.engine.Status.Conditions, containersv1alpha1.ConditionReady)
	if ready == nil || s.engine.Status.ObservedGeneration != s.engine.Generation || ready.ObservedGeneration != s.engine.Generation {
		return state, false
	}
	return *ready, true
}

// settled says whether everything that the spec asks for is true.
func (s *scope) settled() metav1.Condition {
	ready, acted := s.ready()
	waiting := metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonWaitingForEngine}
	switch {
	case s.app.Spec.Running && s.app.Spec.ContainerEngine.Endpoint == "":
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: appv1alpha1.ReasonVMNotSupported, Message: endpointHint}
	case s.leaving:
		waiting.Message = "the engine of the setting before is being disconnected"
		return waiting
	case !acted:
		waiting.Message = "the engine's controller has not acted yet"
		return waiting
	case s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonConnected:
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonSettled, Message: "connected to " + s.engine.Spec.Endpoint}
	case !s.app.Spec.Running && ready.Reason == containersv1alpha1.ReasonStopped:
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: appv1alpha1.ReasonSettled, Message: "stopped"}
	}
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: ready.Reason, Message: ready.Message}
}

// set writes a condition, which speaks of the generation that was read.
func (s *scope) set(kind string, state metav1.Condition) {
	apimeta.SetStatusCondition(&s.app.Status.Conditions, metav1.Condition{
		Type:               kind,
		Status:             state.Status,
		ObservedGeneration: s.app.Generation,
		LastTransitionTime: state.LastTransitionTime,
		Reason:             state.Reason,
		Message:            state.Message,
	})
}
