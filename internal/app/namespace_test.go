// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// TestReconcilesWriteNoNamespace: only the first reconcile of an App makes its
// namespace, and no other tries.
func TestReconcilesWriteNoNamespace(t *testing.T) {
	config := controlplanetest.Start(t).Server.ClientConfig()
	n := controlplanetest.CountWrites(config)
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &scope{reconciler: &reconciler{client: api, reader: api}, app: &appv1alpha1.App{}}
	s.app.Spec.Namespace = "fresh"
	for range 3 {
		if err := s.ensureNamespace(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("it was written %d times, want once", n.Load())
	}
}
