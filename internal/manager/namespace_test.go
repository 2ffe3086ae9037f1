// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// TestEnsureNamespaceReadsFirst: a namespace is made once, and not written again.
func TestEnsureNamespaceReadsFirst(t *testing.T) {
	config := controlplanetest.Start(t).Server.ClientConfig()
	n := controlplanetest.CountWrites(config)
	client, err := kubernetes.NewForConfig(rest.CopyConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := EnsureNamespace(t.Context(), client, "fresh"); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("it was written %d times, want once", n.Load())
	}
}
