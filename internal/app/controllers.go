// SPDX-License-Identifier: Apache-2.0

package app

import (
	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group.
func Controllers() []manager.Controller {
	return []manager.Controller{{
		Name:        "app",
		Group:       "app",
		DependsOn:   []string{"engine"},
		Definitions: []string{"apps"},
		Files:       appv1alpha1.CRDs,
		AddToScheme: appv1alpha1.AddToScheme,
		Setup:       Setup,
	}}
}
