// SPDX-License-Identifier: Apache-2.0

package openapi_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	generated "k8s.io/kubernetes/pkg/generated/openapi"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/openapi"
)

func ref(name string) spec.Ref { return spec.MustCreateRef("#/components/schemas/" + name) }

// TestDefinitions compares the definitions with Kubernetes' own, of which they
// are some: after an update of Kubernetes they have to be generated again.
func TestDefinitions(t *testing.T) {
	all, some := generated.GetOpenAPIDefinitions(ref), openapi.Definitions(ref)
	for name, got := range some {
		want, there := all[name]
		if !there {
			t.Errorf("Kubernetes has no %s: run make generate", name)
			continue
		}
		if diff := cmp.Diff(decoded(t, want.Schema), decoded(t, got.Schema)); diff != "" {
			t.Errorf("%s (-Kubernetes' +RDD's), run make generate:\n%s", name, diff)
		}
		if diff := cmp.Diff(sets.List(sets.New(want.Dependencies...)), sets.List(sets.New(got.Dependencies...))); diff != "" {
			t.Errorf("what %s refers to (-Kubernetes' +RDD's):\n%s", name, diff)
		}
		for _, dependency := range got.Dependencies {
			if _, there := some[dependency]; !there {
				t.Errorf("%s refers to %s, which is not there", name, dependency)
			}
		}
	}
}

// decoded returns a schema as a client reads it.
func decoded(t *testing.T, schema spec.Schema) any {
	t.Helper()
	data, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func BenchmarkDefinitions(b *testing.B) {
	for name, definitions := range map[string]common.GetOpenAPIDefinitions{"all": generated.GetOpenAPIDefinitions, "served": openapi.Definitions} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				definitions(ref)
			}
		})
	}
}
