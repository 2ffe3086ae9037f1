// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"log/slog"

	ctrl "sigs.k8s.io/controller-runtime"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group: the kinds, and the one
// that mirrors engines into them.
func Controllers(open Open) []manager.Controller {
	kind := func(name, plural string) manager.Controller {
		return manager.Controller{
			Name:        name,
			Group:       "containers",
			Definitions: []string{plural},
			Files:       containersv1alpha1.CRDs,
			AddToScheme: containersv1alpha1.AddToScheme,
		}
	}
	engine := kind("engine", "containerengines")
	engine.DependsOn = []string{"container", "image", "volume", "containernamespace"}
	engine.Setup = func(mgr ctrl.Manager, log *slog.Logger) error { return Setup(mgr, open, log) }
	return []manager.Controller{
		kind("container", "containers"),
		kind("image", "images"),
		kind("volume", "volumes"),
		kind("containernamespace", "containernamespaces"),
		engine,
	}
}
