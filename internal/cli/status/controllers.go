// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/daemon/health"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/diagnostics"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/liveness"
)

// The controllers of the objects in the status.
const (
	appController    = "app"
	engineController = "engine"
	vmController     = "limavm"
)

// observeDaemon reads whether the store is writable and which controllers do not run, and
// marks conditions of those controllers as stale.
func (r *Reader) observeDaemon(ctx context.Context, observed *diagnostics.Observed) error {
	report, err := health.Read(ctx, r.Instance.ConfigFile())
	if err != nil {
		return err
	}
	observed.Unwritable = report.Unwritable
	kept := map[string][]metav1.Condition{}
	if app := observed.App; app != nil {
		kept[appController] = app.Status.Conditions
		if diagnostics.WantsVM(app) {
			kept[vmController] = conditionsOf(app.Status.Conditions, appv1alpha1.ConditionCreated, appv1alpha1.ConditionRunning)
		}
	}
	for i := range observed.Engines {
		kept[engineController] = append(kept[engineController], observed.Engines[i].Status.Conditions...)
	}
	if len(kept) == 0 {
		return nil
	}
	observed.Absent, err = liveness.Finder{Reader: r.client, Clock: r.Clock}.Find(ctx, kept)
	for _, absence := range observed.Absent {
		r.mark(absence, observed)
	}
	return err
}

// conditionsOf returns the conditions with the given types.
func conditionsOf(conditions []metav1.Condition, types ...string) (found []metav1.Condition) {
	for _, kind := range types {
		if c := apimeta.FindStatusCondition(conditions, kind); c != nil {
			found = append(found, *c)
		}
	}
	return found
}

// mark sets the conditions of an absent controller to Unknown, and the conditions of the
// App that depend on them: the daemon writes them a moment later.
func (r *Reader) mark(absence liveness.Absence, observed *diagnostics.Observed) {
	now := r.Clock.Now()
	var ofApp []string
	switch absence.Controller {
	case engineController:
		for i := range observed.Engines {
			absence.Mark(&observed.Engines[i].Status.Conditions,
				[]string{containersv1alpha1.ConditionReady, containersv1alpha1.ConditionComplete}, now)
		}
		ofApp = []string{appv1alpha1.ConditionContainerEngineReady, appv1alpha1.ConditionSettled}
	case vmController:
		ofApp = []string{appv1alpha1.ConditionCreated, appv1alpha1.ConditionRunning, appv1alpha1.ConditionSettled}
	case appController:
		ofApp = []string{appv1alpha1.ConditionCreated, appv1alpha1.ConditionRunning,
			appv1alpha1.ConditionContainerEngineReady, appv1alpha1.ConditionSettled}
	}
	if observed.App == nil {
		return
	}
	absence.Mark(&observed.App.Status.Conditions, ofApp, now)
}
