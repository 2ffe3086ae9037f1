// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"encoding/json"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/manifest"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
)

// Controllers returns the controllers of the API group: one for each mirrored kind,
// which installs its definition, and the one that mirrors the engines of the drivers.
func Controllers(drivers engine.Drivers) []manager.Controller {
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
	engine.Definitions[0].Edit = func(d *apiextensionsv1.CustomResourceDefinition) { setTypes(d, drivers.Types()) }
	engine.Definitions = append(engine.Definitions, manifest.Source{
		Files: containersv1alpha1.Files,
		Path:  "crds/containers.rancherdesktop.io_imagepullrequests.yaml",
	})
	engine.DependsOn = []string{"container", "image", "volume", "network", "containernamespace"}
	engine.Policies = []manifest.Source{{Files: containersv1alpha1.Files, Path: "policies/owned-engines.yaml"}}
	gate := &gate{drivers: drivers}
	engine.Standing = gate.hooks()
	engine.Claims = []manager.Claim{{
		Resource:   containersv1alpha1.GroupVersion.WithResource("containerengines"),
		Conditions: []string{containersv1alpha1.ConditionReady, containersv1alpha1.ConditionComplete},
	}}
	engine.Setup = func(host manager.Host) error { return setup(host, gate) }
	return []manager.Controller{
		container,
		kind("image", "images"),
		kind("volume", "volumes"),
		kind("network", "networks"),
		kind("containernamespace", "containernamespaces"),
		engine,
	}
}

// setTypes sets the types of engines that the API server accepts.
func setTypes(definition *apiextensionsv1.CustomResourceDefinition, types []string) {
	for _, version := range definition.Spec.Versions {
		spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
		kind := spec.Properties["type"]
		kind.Enum = nil
		for _, name := range types {
			quoted, _ := json.Marshal(name) // a string can always be encoded
			kind.Enum = append(kind.Enum, apiextensionsv1.JSON{Raw: quoted})
		}
		spec.Properties["type"] = kind
	}
}
