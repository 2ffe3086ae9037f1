// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// laggingDiscovery learns of a kind after some requests.
type laggingDiscovery struct {
	discovery.AggregatedDiscoveryInterfaceWithContext
	requests, after int
	aggregated      bool
}

func (d *laggingDiscovery) GroupsAndMaybeResourcesWithContext(context.Context) (
	*metav1.APIGroupList, map[schema.GroupVersion]*metav1.APIResourceList, map[schema.GroupVersion]error, error,
) {
	d.requests++
	if !d.aggregated {
		return &metav1.APIGroupList{}, nil, nil, nil
	}
	resources := map[schema.GroupVersion]*metav1.APIResourceList{}
	switch {
	case d.requests == 1:
		return nil, nil, nil, errors.New("not yet")
	case d.requests > d.after:
		resources[schema.GroupVersion{Group: "g", Version: "v1"}] = &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "things"}}}
	case d.requests > 2:
		resources[schema.GroupVersion{Group: "g", Version: "v1"}] = &metav1.APIResourceList{APIResources: []metav1.APIResource{{Name: "others"}}}
	}
	return &metav1.APIGroupList{}, resources, nil, nil
}

// TestWaitDiscovered: a definition is installed once clients can discover it.
func TestWaitDiscovered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		definition := &apiextensionsv1.CustomResourceDefinition{}
		definition.Name, definition.Spec.Group, definition.Spec.Names.Plural = "things.g", "g", "things"
		definition.Spec.Versions = []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true}, {Name: "v0"}}
		wanted := []*apiextensionsv1.CustomResourceDefinition{definition}

		lagging := &laggingDiscovery{aggregated: true, after: 4}
		if err := waitDiscovered(t.Context(), lagging, wanted); err != nil || lagging.requests != 5 {
			t.Errorf("after %d requests: %v", lagging.requests, err)
		}
		older := &laggingDiscovery{}
		if err := waitDiscovered(t.Context(), older, wanted); err != nil || older.requests != 1 {
			t.Errorf("a server without such discovery, after %d requests: %v", older.requests, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		never := &laggingDiscovery{aggregated: true, after: 1 << 30}
		if err := waitDiscovered(ctx, never, wanted); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "things.g v1") {
			t.Errorf("what is never discovered: %v", err)
		}
	})
}
