// SPDX-License-Identifier: Apache-2.0

// Command openapi writes the definitions of internal/controlplane/openapi from
// Kubernetes' generated ones: what the API server serves, and what it refers to. `make
// generate` runs it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	generated "k8s.io/kubernetes/pkg/generated/openapi"
)

// served are the names of the required definitions, or prefixes, which end with a dot.
var served = []string{
	"io.k8s.api.admissionregistration.v1.",
	"io.k8s.api.authentication.v1.",
	"io.k8s.api.authorization.v1.",
	"io.k8s.api.coordination.v1.",
	"io.k8s.api.core.v1.ConfigMap", "io.k8s.api.core.v1.ConfigMapList",
	"io.k8s.api.core.v1.Event", "io.k8s.api.core.v1.EventList",
	"io.k8s.api.core.v1.Namespace", "io.k8s.api.core.v1.NamespaceList",
	"io.k8s.api.core.v1.Secret", "io.k8s.api.core.v1.SecretList",
	"io.k8s.api.core.v1.ServiceAccount", "io.k8s.api.core.v1.ServiceAccountList",
	"io.k8s.api.events.v1.Event", "io.k8s.api.events.v1.EventList",
	"io.k8s.api.rbac.v1.",
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.",
	"io.k8s.apimachinery.pkg.apis.meta.v1.",
	"io.k8s.apimachinery.pkg.runtime.",
	"io.k8s.apimachinery.pkg.version.",
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi FILE")
		os.Exit(2)
	}
	data, err := document()
	if err == nil {
		err = os.WriteFile(os.Args[1], data, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

// document returns the definitions by name, as JSON. A reference is the name of the
// referenced definition.
func document() ([]byte, error) {
	all := generated.GetOpenAPIDefinitions(spec.MustCreateRef)
	chosen := map[string]spec.Schema{}
	for name := range all {
		if isServed(name) {
			choose(all, name, chosen)
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(chosen) // sorted by name
	return out.Bytes(), err
}

func isServed(name string) bool {
	for _, wanted := range served {
		if name == wanted || strings.HasSuffix(wanted, ".") && strings.HasPrefix(name, wanted) {
			return true
		}
	}
	return false
}

// choose adds a definition and everything that it refers to.
func choose(all map[string]common.OpenAPIDefinition, name string, chosen map[string]spec.Schema) {
	if _, done := chosen[name]; done {
		return
	}
	definition := all[name]
	if _, apart := definition.Schema.Extensions[common.ExtensionV2Schema]; apart {
		panic(name + " has another schema in version 2, which internal/controlplane/openapi does not keep")
	}
	chosen[name] = definition.Schema
	for _, dependency := range definition.Dependencies {
		choose(all, dependency, chosen)
	}
}
