// SPDX-License-Identifier: Apache-2.0

package app

import (
	"net/http"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/controlplane/controlplanetest"
)

// writes counts the requests that are no reads.
type writes struct {
	http.RoundTripper
	n *atomic.Int32
}

func (w writes) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		w.n.Add(1)
	}
	return w.RoundTripper.RoundTrip(request)
}

// TestReconcilesWriteNoNamespace: only the first reconcile of an App makes its
// namespace, and no other tries.
func TestReconcilesWriteNoNamespace(t *testing.T) {
	var n atomic.Int32
	config := controlplanetest.Start(t).Server.ClientConfig()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return writes{next, &n} })
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
