// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// Controller is one controller, or one kind with its admission: the unit that
// is selected and runs in one place at a time.
type Controller struct {
	// Name is unique in the program.
	Name string
	// Group is the first part of the name of its API group.
	Group string
	// DependsOn names the controllers without which this one can't work.
	DependsOn []string

	// Definitions are those of the kinds that it works with, whoever reconciles
	// them.
	Definitions []manifest.Source
	// Policies are what CEL decides about writes of its kinds.
	Policies []manifest.Source
	// Hooks are what code decides about writes of its kinds.
	Hooks []admission.Hook
	// Standing are what code decides in RDD's own control plane, wherever the
	// controller runs. No other API server asks them.
	Standing []admission.Hook
	// Claims are the conditions that it alone keeps true.
	Claims []Claim
	// AddToScheme registers the types that it works with.
	AddToScheme func(*runtime.Scheme) error

	// Setup adds it to its host. It is nil for a kind that nothing reconciles.
	Setup func(Host) error

	// Bind returns the controller as it is in an instance, with Hooks and Setup,
	// where these depend on that; else it is nil.
	Bind func(*instance.Instance) Controller
}

// Claim names the conditions of a kind that say how something is now. Once no
// process runs their controller they may be untrue.
type Claim struct {
	Resource   schema.GroupVersionResource
	Conditions []string
}

// Bind returns the controllers as they are in an instance.
func Bind(controllers []Controller, inst *instance.Instance) []Controller {
	bound := slices.Clone(controllers)
	for i := range bound {
		if bound[i].Bind != nil {
			bound[i] = bound[i].Bind(inst)
		}
	}
	return bound
}

// Host is what a controller runs in.
type Host struct {
	// Manager has the caches and clients that all controllers share. What is
	// added to it runs while the controller does.
	ctrl.Manager
	Log *slog.Logger
	// Metrics takes the controller's own.
	Metrics prometheus.Registerer
	// Instance is whose API server it works with; nil for another cluster's.
	Instance *instance.Instance

	endpoints map[string]http.Handler
}

// Serve makes a handler an endpoint of the controller, which clients reach as
// /passthrough/<controller>/<endpoint>/… on the API server's port. The API
// server has authenticated and authorised them; the handler sees the path after the
// endpoint. It must be called in Setup.
func (h Host) Serve(endpoint string, handler http.Handler) { h.endpoints[endpoint] = handler }

// conflictPause is the wait for a cache to show what another client wrote.
const conflictPause = 20 * time.Millisecond

// Patient returns a reconciler for which it is no error that another client wrote
// to an object at the same time: it begins again, with what was written.
func Patient(inner reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		result, err := inner.Reconcile(ctx, request)
		if apierrors.IsConflict(err) {
			return reconcile.Result{RequeueAfter: conflictPause}, nil
		}
		return result, err
	})
}
