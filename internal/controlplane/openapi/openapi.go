// SPDX-License-Identifier: Apache-2.0

// Package openapi has the schemas of the built-in kinds that RDD serves. Kubernetes'
// generated functions describe all of its kinds in 5 MB of program; this is a twentieth
// of that.
package openapi

import (
	_ "embed" // native.json
	"encoding/json"
	"fmt"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/schemamutation"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// native are the schemas by name, as hack/openapi writes them. A reference is the name
// of the referenced schema.
//
//go:embed native.json
var native []byte

// Definitions is a [common.GetOpenAPIDefinitions]. Each call returns new definitions,
// because building documents modifies them.
func Definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	var schemas map[string]*spec.Schema
	if err := json.Unmarshal(native, &schemas); err != nil {
		panic(fmt.Errorf("the embedded OpenAPI definitions: %w", err)) // a mistake in the build
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
