// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"maps"
	"slices"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestKinds: the table has each kind of an engine, and is all that a kind needs.
func TestKinds(t *testing.T) {
	if got, want := slices.Sorted(maps.Keys(kinds)), slices.Sorted(slices.Values(engine.Kinds)); !slices.Equal(got, want) {
		t.Fatalf("kinds = %v, want %v", got, want)
	}
	for name, kind := range kinds {
		m := kind.object()
		if got := kindOf(m); got != name {
			t.Errorf("kindOf(%T) = %q, want %q", m, got, name)
		}
		if kind.workers < 1 || conditionsOf(m) == nil || titleOf(m) != "" || len(usesOf(m)) != 0 {
			t.Errorf("%s: %d workers, title %q, uses %v", name, kind.workers, titleOf(m), usesOf(m))
		}
		key := engine.Key{Kind: name, ID: "x"}
		if known := engineObject(key, nil); kind.namespace(known) != "" || len(testOwner.mirrors(known, "")) != 0 {
			t.Errorf("%s: an object that does not exist has a namespace or mirrors", name)
		}
	}
	if got := kindOf(nil); got != "" {
		t.Errorf("kindOf(nil) = %q", got)
	}
}
