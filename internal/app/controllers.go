// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"

	"k8s.io/apimachinery/pkg/runtime"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/admission"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group.
func Controllers() []manager.Controller {
	return []manager.Controller{{
		Name:  "app",
		Group: "app",
		// The controllers of the engine, the virtual machine and the HostInfo may run
		// in other processes, but the kinds must exist.
		Definitions: []manifest.Source{
			{Files: appv1alpha1.Files, Path: "crds/app.rancherdesktop.io_apps.yaml"},
			{Files: containersv1alpha1.Files, Path: "crds/containers.rancherdesktop.io_containerengines.yaml"},
			{Files: limav1alpha1.Files, Path: "crds/lima.rancherdesktop.io_limavms.yaml"},
			{Files: rddv1alpha1.Files, Path: "crds/rdd.rancherdesktop.io_hostinfos.yaml"},
		},
		Policies: []manifest.Source{
			{Files: containersv1alpha1.Files, Path: "policies/owned-engines.yaml"},
			{Files: appv1alpha1.Files, Path: "policies/namespace.yaml"},
		},
		Claims: []manager.Claim{{
			Resource: appv1alpha1.GroupVersion.WithResource("apps"),
			Conditions: []string{appv1alpha1.ConditionCreated, appv1alpha1.ConditionRunning,
				appv1alpha1.ConditionContainerEngineReady, appv1alpha1.ConditionSettled, appv1alpha1.ConditionStalled},
		}},
		Standing: []admission.Hook{hook(thisHost())},
		AddToScheme: func(scheme *runtime.Scheme) error {
			return errors.Join(appv1alpha1.AddToScheme(scheme), containersv1alpha1.AddToScheme(scheme),
				limav1alpha1.AddToScheme(scheme), rddv1alpha1.AddToScheme(scheme))
		},
		Setup: Setup,
	}}
}
