// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the built-in kinds that RDD serves, and what their
// schemas refer to. Kubernetes generates functions that describe all of its
// kinds: 5 MB of program, of which this is a twentieth.
package openapi

import (
	_ "embed" // native.json
	"encoding/json"
	"fmt"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/schemamutation"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// native are the schemas by name, as hack/openapi writes them. A reference is
// the name of what it refers to.
//
//go:embed native.json
var native []byte

// Definitions is a [common.GetOpenAPIDefinitions]. Each call returns definitions
// of its own, as who builds documents changes them.
func Definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	var schemas map[string]*spec.Schema
	if err := json.Unmarshal(native, &schemas); err != nil {
		panic(fmt.Errorf("the embedded OpenAPI definitions: %w", err)) // built so, not met
	}
	definitions := make(map[string]common.OpenAPIDefinition, len(schemas))
	for name, schema := range schemas {
		definitions[name] = definition(schema, ref)
	}
	return definitions
}

func definition(schema *spec.Schema, ref common.ReferenceCallback) common.OpenAPIDefinition {
	var dependencies []string
	walker := schemamutation.Walker{
		SchemaCallback: schemamutation.SchemaCallBackNoop,
		RefCallback: func(name *spec.Ref) *spec.Ref {
			if name.String() == "" {
				return name
			}
			dependencies = append(dependencies, name.String())
			referred := ref(name.String())
			return &referred
		},
	}
	schema = walker.WalkSchema(schema)
	return common.OpenAPIDefinition{Schema: *schema, Dependencies: dependencies}
}
