// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"testing"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// TestClonedIDs: an ID is a file, which two machines have that were made from one
// disk. What an older version did not write makes no difference.
func TestClonedIDs(t *testing.T) {
	t.Parallel()
	at := func(namespace, host, dir string) containersv1alpha1.ContainerEngine {
		e := engineOf(namespace, namespace, containersv1alpha1.ReasonConnected, "", "1")
		e.Status.HostName, e.Status.RootDir = host, dir
		return e
	}
	for name, test := range map[string]struct {
		engines []containersv1alpha1.ContainerEngine
		shared  int
	}{
		"one engine":            {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "h", "/d")}, 1},
		"another machine":       {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "i", "/d")}, 0},
		"another directory":     {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "h", "/e")}, 0},
		"not known":             {[]containersv1alpha1.ContainerEngine{at("a", "", ""), at("b", "h", "/d")}, 1},
		"two pairs of one ID":   {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "i", "/d"), at("c", "i", "/d"), at("d", "h", "/d")}, 2},
		"three, of which two":   {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "h", "/e"), at("c", "h", "/e")}, 1},
		"three machines, an ID": {[]containersv1alpha1.ContainerEngine{at("a", "h", "/d"), at("b", "i", "/d"), at("c", "j", "/d")}, 0},
	} {
		shared := 0
		for _, finding := range Known().Diagnose(Observed{Engines: test.engines}) {
			if finding.Code == EngineShared.Code {
				shared++
			}
		}
		if shared != test.shared {
			t.Errorf("%s: %d are shared, want %d", name, shared, test.shared)
		}
	}
}
