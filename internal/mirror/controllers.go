// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group: one for each mirrored kind,
// which installs its definition, and the one that mirrors engines.
func Controllers(open Open) []manager.Controller {
	kind := func(name, plural string) manager.Controller {
		return manager.Controller{
			Name:  name,
			Group: "containers",
			Definitions: []manifest.Source{{
				Files: containersv1alpha1.Files,
				Path:  "crds/containers.rancherdesktop.io_" + plural + ".yaml",
			}},
			AddToScheme: containersv1alpha1.AddToScheme,
		}
	}
	container := kind("container", "containers")
	container.Policies = []manifest.Source{{Files: containersv1alpha1.Files, Path: "policies/actions.yaml"}}
	engine := kind("engine", "containerengines")
	engine.Definitions = append(engine.Definitions, manifest.Source{
		Files: containersv1alpha1.Files,
		Path:  "crds/containers.rancherdesktop.io_imagepullrequests.yaml",
	})
	engine.DependsOn = []string{"container", "image", "volume", "containernamespace"}
	engine.Policies = []manifest.Source{{Files: containersv1alpha1.Files, Path: "policies/owned-engines.yaml"}}
	gate := &gate{}
	engine.Standing = gate.hooks()
	engine.Claims = []manager.Claim{{
		Resource:   containersv1alpha1.GroupVersion.WithResource("containerengines"),
		Conditions: []string{containersv1alpha1.ConditionReady, containersv1alpha1.ConditionComplete},
	}}
	engine.Setup = func(host manager.Host) error { return setup(host, open, gate) }
	return []manager.Controller{
		container,
		kind("image", "images"),
		kind("volume", "volumes"),
		kind("containernamespace", "containernamespaces"),
		engine,
	}
}
