// SPDX-License-Identifier: Apache-2.0

package mirror_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestForcedEndOfAContainerEngine: a client takes its finalizer away, so that
// the ContainerEngine goes before its mirrors, and makes another of that name.
func TestForcedEndOfAContainerEngine(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("again=%t", again), func(t *testing.T) {
			t.Parallel()
			e, engine := newFaulty(t, fakedocker.Config{})
			ce := e.connect("moby")
			before := e.versions()
			ce.Finalizers = nil
			e.must(e.kube.Update(t.Context(), ce))
			e.must(e.kube.Delete(t.Context(), ce))
			if again {
				e.connect("moby")
				e.equal("moby")
			}
			e.eventually("the mirrors before are gone", func() (bool, string) {
				left := e.versions()
				maps.DeleteFunc(left, func(name, version string) bool {
					uid, _, _ := strings.Cut(version, "@")
					return !strings.HasPrefix(before[name], uid)
				})
				return len(left) == 0, fmt.Sprint(left)
			})
			if again {
				e.equal("moby")
			}
			e.eventually("one event stream is open where one is mirrored", func() (bool, string) {
				n := engine.Streams()
				return n == map[bool]int{true: 1}[again], fmt.Sprint(n)
			})
			if got := calls(engine.Server); len(got) != 0 {
				t.Errorf("the engine was asked %v", got)
			}
		})
	}
}
