// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
)

// sayProblems reports objects of the App's engine that could not be mirrored. They are
// no failure of the command, because the App is settled.
func (a *appSession) sayProblems() {
	app, err := a.client.App(a.ctx)
	if err != nil || app == nil {
		return // the wait has succeeded, and `rdd status` reports the same
	}
	var engines containersv1alpha1.ContainerEngineList
	api, err := a.client.API()
	if err == nil {
		err = api.List(a.ctx, &engines, ctrlclient.InNamespace(app.Spec.Namespace))
	}
	if err != nil {
		a.sayNow("Reading the problems of the mirrors failed (%v): see `rdd status`.", err)
		return
	}
	owned := slices.DeleteFunc(engines.Items, func(e containersv1alpha1.ContainerEngine) bool { return !metav1.IsControlledBy(&e, app) })
	for _, f := range diagnostics.Known().Diagnose(diagnostics.Observed{Now: time.Now(), Engines: owned}) {
		if f.Code == diagnostics.EngineIncomplete.Code {
			a.sayNow("%s: %s\n  %s\n  What to do: %s", f.Severity, f.Title, f.Message, f.Remedy)
		}
	}
}
