// SPDX-License-Identifier: Apache-2.0

// Package manager runs controllers: it knows which there are and which are
// selected, brings their definitions to the API server, starts them, and tells
// clients where they run.
package manager

import (
	"io/fs"
	"log/slog"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/crd"
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

	// Definitions names the definitions, of those in Files, that it brings.
	Definitions []string
	// Files holds the group's definitions.
	Files fs.FS
	// AddToScheme registers the types that it works with.
	AddToScheme func(*runtime.Scheme) error

	// Setup adds it to a manager, with a log of its own. It is nil for a kind that
	// nothing reconciles.
	Setup func(ctrl.Manager, *slog.Logger) error
}

// definitions returns the definitions that the controllers bring.
func definitions(controllers []Controller) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	parsed := map[string]map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, controller := range controllers {
		if len(controller.Definitions) == 0 {
			continue
		}
		if parsed[controller.Group] == nil {
			list, err := crd.Parse(controller.Files)
			if err != nil {
				return nil, err
			}
			parsed[controller.Group] = map[string]*apiextensionsv1.CustomResourceDefinition{}
			for _, definition := range list {
				parsed[controller.Group][definition.Spec.Names.Plural] = definition
			}
		}
		for _, plural := range controller.Definitions {
			all = append(all, parsed[controller.Group][plural])
		}
	}
	return all, nil
}
