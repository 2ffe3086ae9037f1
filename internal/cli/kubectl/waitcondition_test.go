// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestOlderGeneration: a condition counts if it observed the newest generation,
// or none, whether True or False is expected.
func TestOlderGeneration(t *testing.T) {
	for name, test := range map[string]struct {
		condition map[string]any
		met       bool
	}{
		"newest": {map[string]any{"observedGeneration": int64(2)}, true},
		"older":  {map[string]any{"observedGeneration": int64(1)}, false},
		"none":   {map[string]any{}, true},
	} {
		for _, status := range []string{"True", "False"} {
			t.Run(name+" "+status, func(t *testing.T) {
				condition := map[string]any{"type": "Settled", "status": status}
				maps.Copy(condition, test.condition)
				object := &unstructured.Unstructured{Object: map[string]any{
					"metadata": map[string]any{"generation": int64(2)},
					"status":   map[string]any{"conditions": []any{condition}},
				}}
				w := conditionWait{condition: "Settled", status: status}
				met, state := w.met(object, time.Time{})
				if met != test.met || strings.Contains(state, "older generation") == test.met {
					t.Errorf("met is %v: %s", met, state)
				}
			})
		}
	}
}
