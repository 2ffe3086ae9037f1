// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/http"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

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

// TestEnsureNamespaceReadsFirst: a namespace is made once, and not written again.
func TestEnsureNamespaceReadsFirst(t *testing.T) {
	var n atomic.Int32
	config := controlplanetest.Start(t).Server.ClientConfig()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return writes{next, &n} })
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
