// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"fmt"
	"testing"
)

func TestCache(t *testing.T) {
	c := &cache[string]{limit: 2}
	has := func(when, want string) {
		t.Helper()
		if got, ok := c.get("ns", "a"); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", when, got, ok, want)
		}
	}
	c.put(c.mark(), "ns", "a", "1")
	has("without events", "")
	c.trust(true)
	c.put(c.mark(), "ns", "a", "1")
	has("with events", "1")
	c.forget("ns", "a")
	has("after an event", "")
	before := c.mark()
	c.forget("ns", "b")
	c.put(before, "ns", "a", "1")
	has("asked for before an event", "")
	for i := range 5 {
		c.put(c.mark(), "ns", fmt.Sprint(i), "1")
	}
	if len(c.entries) > c.limit {
		t.Errorf("%d entries, want at most %d", len(c.entries), c.limit)
	}
	c.put(c.mark(), "ns", "a", "1")
	c.clear()
	has("at a comparison", "")
	c.put(c.mark(), "ns", "a", "1")
	c.trust(false)
	has("when the stream has broken", "")
}
