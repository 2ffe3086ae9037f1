// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group.
func Controllers() []manager.Controller {
	return []manager.Controller{{
		Name:        "hostinfo",
		Group:       "rdd",
		Definitions: []manifest.Source{{Files: rddv1alpha1.Files, Path: "crds/rdd.rancherdesktop.io_hostinfos.yaml"}},
		AddToScheme: rddv1alpha1.AddToScheme,
		Setup:       Setup,
	}}
}
