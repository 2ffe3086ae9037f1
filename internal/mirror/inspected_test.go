// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
)

// TestInspectedItems: what is inspected at each comparison of a list that never agrees with the mirror.
func TestInspectedItems(t *testing.T) {
	t.Parallel()
	key := engine.Key{Kind: engine.KindContainer, ID: "a"}
	type comparison struct {
		fingerprint uint64
		fits        bool
		mirrors     mirrorsVersion
		after       mirrorsVersion // an inspection, if there is one
		failed      bool           // the inspection
		known       bool           // expected
	}
	one, two := mirrorsVersion{1, 10}, mirrorsVersion{1, 20}
	for name, comparisons := range map[string][]comparison{
		"never agrees": {
			{fingerprint: 1, fits: true, mirrors: one, after: one},
			{fingerprint: 1, fits: true, mirrors: one, known: true},
			{fingerprint: 1, fits: true, mirrors: one, known: true},
		},
		"the inspection changed the mirror": {
			{fingerprint: 1, fits: true, mirrors: one, after: two},
			{fingerprint: 1, fits: true, mirrors: two, known: true},
		},
		"the item changes": {
			{fingerprint: 1, fits: true, mirrors: one, after: one},
			{fingerprint: 2, fits: true, mirrors: one, after: one},
			{fingerprint: 2, fits: true, mirrors: one, known: true},
		},
		"the mirror changes": {
			{fingerprint: 1, fits: true, mirrors: one, after: one},
			{fingerprint: 1, fits: true, mirrors: two, after: two},
			{fingerprint: 1, fits: true, mirrors: two, known: true},
		},
		"restarted, the event was lost": {
			{fingerprint: 1, fits: true, mirrors: one, after: one},
			{fingerprint: 1, fits: true, mirrors: one, known: true},
			{fingerprint: 1, fits: false, mirrors: one, after: two},
			{fingerprint: 1, fits: true, mirrors: two, known: true},
			{fingerprint: 1, fits: false, mirrors: two, after: two},
		},
		"times never agree either": {
			{fingerprint: 1, fits: false, mirrors: one, after: one},
			{fingerprint: 1, fits: false, mirrors: one, after: one},
			{fingerprint: 1, fits: false, mirrors: one, known: true},
			{fingerprint: 1, fits: true, mirrors: one, known: true},
			{fingerprint: 1, fits: false, mirrors: one, after: one},
		},
		"the inspection failed": {
			{fingerprint: 1, fits: true, mirrors: one, failed: true},
			{fingerprint: 1, fits: true, mirrors: one, after: one},
			{fingerprint: 1, fits: true, mirrors: one, known: true},
		},
		"no fingerprint": {
			{fits: true, mirrors: one, after: one},
			{fits: true, mirrors: one, after: one},
		},
		"no mirror": {
			{fingerprint: 1, fits: true, after: mirrorsVersion{}},
			{fingerprint: 1, fits: true, after: mirrorsVersion{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items := newInspectedItems()
			for i, c := range comparisons {
				item := engine.Item{Key: key,
					Fingerprint: func() uint64 { return c.fingerprint },
					Fits:        func(engine.Object, time.Time) bool { return c.fits },
				}
				if known := items.match(item, c.mirrors, engine.Object{}, time.Time{}); known != c.known {
					t.Fatalf("comparison %d: known: %v, want %v", i, known, c.known)
				}
				if begun := items.begin(key); !c.known && !c.failed {
					items.finish(key, begun, c.after)
				}
			}
			items.keep(engine.KindImage, nil)
			items.keep(engine.KindContainer, map[engine.Key]bool{})
			if len(items.known)+len(items.waiting) != 0 {
				t.Errorf("left of what is not listed: %v %v", items.known, items.waiting)
			}
		})
	}
}
