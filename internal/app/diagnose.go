// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"time"

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
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/message/bounded"
)

// diagnoser reports by Events the problems of the App that no condition reports. It
// runs when one of the observed objects changes.
type diagnoser struct {
	client   client.Client
	registry diagnostics.Registry
	reporter *diagnostics.Reporter
	contexts *contextWatch // nil in a cluster that is not RDD's
}

func setupDiagnostics(host manager.Host) error {
	contexts, err := newContextWatch(host.Instance, host.Log)
	if err != nil {
		return err
	}
	d := &diagnoser{
		contexts: contexts,
		client:   host.GetClient(),
		registry: diagnostics.Known(),
		reporter: diagnostics.NewReporter(bounded.Events(host.GetEventRecorderFor("app")), //nolint:staticcheck // RDD serves core Events only
			diagnostics.AppEvents),
	}
	all := handler.EnqueueRequestsFromMapFunc(theApp)
	b := ctrl.NewControllerManagedBy(host).
		Named("app-diagnostics").
		WithOptions(controller.Options{NewQueue: manager.NewQueue}).
		Watches(&appv1alpha1.App{}, all).
		Watches(&containersv1alpha1.ContainerEngine{}, all, builder.WithPredicates(predicate.Or(engineChanged, engineKnown))).
		Watches(&rddv1alpha1.HostInfo{}, all)
	if contexts != nil {
		if err := host.Add(contexts); err != nil {
			return err
		}
		b = b.WatchesRawSource(contexts.waker.Source())
	}
	return b.Complete(d)
}

// engineKnown passes changes of the engine's identity.
var engineKnown = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*containersv1alpha1.ContainerEngine)
		after, ok2 := e.ObjectNew.(*containersv1alpha1.ContainerEngine)
		return ok && ok2 && (before.Status.EngineID != after.Status.EngineID ||
			before.Status.HostName != after.Status.HostName || before.Status.RootDir != after.Status.RootDir)
	},
}

// Reconcile implements [reconcile.Reconciler].
func (d *diagnoser) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	observed := diagnostics.Observed{Now: time.Now()}
	var objects []client.Object
	app, host := &appv1alpha1.App{}, &rddv1alpha1.HostInfo{}
	err := d.client.Get(ctx, client.ObjectKey{Name: appv1alpha1.AppName}, app)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	if err == nil {
		observed.App = app
		objects = append(objects, app)
	}
	err = d.client.Get(ctx, client.ObjectKey{Name: rddv1alpha1.HostInfoName}, host)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	if err == nil {
		observed.Host = &host.Status
	}
	var engines containersv1alpha1.ContainerEngineList
	if err := d.client.List(ctx, &engines); err != nil {
		return reconcile.Result{}, err
	}
	observed.Engines = engines.Items
	for i := range engines.Items {
		objects = append(objects, &engines.Items[i])
	}
	observed.Contexts = d.contexts.observe(observed.App)
	d.reporter.Report(d.registry.Diagnose(observed), objects...)
	return reconcile.Result{}, nil
}
