// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"net/http"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// TestStartingIsNotAbsent: a client that asks while the daemon starts is refused,
// and never answers that a kind does not exist.
func TestStartingIsNotAbsent(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false")
	config := h.config()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	for range rounds(t, 20, 4) {
		h.kill()
		done := make(chan struct{})
		answers := map[int]int{}
		var asking sync.WaitGroup
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/apis/app.rancherdesktop.io/v1alpha1/apps/app", nil)
				if err != nil {
					t.Error(err)
					return
				}
				if response, err := client.Do(request); err == nil {
					answers[response.StatusCode]++
					_ = response.Body.Close()
				}
			}
		})
		h.ok("service", "start")
		close(done)
		asking.Wait()
		if answers[http.StatusNotFound] > 0 || answers[http.StatusOK] == 0 {
			t.Errorf("answers by their code: %v", answers)
		}
	}
}
