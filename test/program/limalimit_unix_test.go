// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrlclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// TestValidationsAreLimited: however many LimaVMs are created at once, two run limactl;
// the others wait or must retry; and an operation without a waiter ends.
func TestValidationsAreLimited(t *testing.T) {
	t.Parallel()
	for _, place := range []string{"daemon", "external"} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			h, limaHome, _ := newLimaHome(t)
			if place == "daemon" {
				h.ok("service", "start", "--controllers", "lima")
			} else {
				h.ok("service", "start", "--controllers", "")
				h.spawn("lima-controller")
				h.runs("lima", "limavm")
			}
			c := h.client()
			if err := c.Create(t.Context(), newTemplate("default", "source", limaTemplate)); err != nil {
				t.Fatal(err)
			}
			stage.Set(t, limaHome, stage.Faults{ValidateMS: 1500})
			const clients = 12
			begun, most, refused := h.validateAtOnce(limaHome, clients)
			if most != 2 || begun+refused != clients || refused == 0 {
				t.Errorf("%d validations ran at once, %d in all, and %d of %d clients were refused", most, begun, refused, clients)
			}

			stage.Set(t, limaHome, stage.Faults{ValidateMS: 3600})
			leaving, leave := context.WithCancel(t.Context())
			var left sync.WaitGroup
			for i := range 2 {
				left.Go(func() {
					_ = c.Create(leaving, newLimaVM("default", fmt.Sprint("left-", i), "source"), ctrlclient.DryRunAll)
				})
			}
			h.eventually("two validations run", func() (bool, string) {
				calls := stage.Calls(t, limaHome)
				return len(calls) >= 2 && slices.Equal(calls[len(calls)-2:], []string{stage.ValidateBegins, stage.ValidateBegins}), fmt.Sprint(calls)
			})
			leave()
			left.Wait()
			stage.Set(t, limaHome, stage.Faults{})
			began := time.Now()
			if err := c.Create(t.Context(), newLimaVM("default", "next", "source"), ctrlclient.DryRunAll); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("a validation waited %s for those of clients that have left", took)
			}
		})
	}
}

// validateAtOnce has n LimaVMs validated for clients that don't try again, and returns
// how many validations ran, how many of them at once, and how many were refused.
func (h *home) validateAtOnce(limaHome string, n int) (begun, most, refused int) {
	h.t.Helper()
	client := h.kubernetes().Discovery().RESTClient()
	failed := make(chan error, n)
	for i := range n {
		go func() {
			body := fmt.Sprintf(`{"apiVersion":"lima.rancherdesktop.io/v1alpha1","kind":"LimaVM","metadata":{"name":"vm-%d"},"spec":{"templateRef":{"name":"source"}}}`, i)
			failed <- client.Post().AbsPath("/apis/lima.rancherdesktop.io/v1alpha1/namespaces/default/limavms").Param("dryRun", "All").
				SetHeader("Content-Type", "application/json").Body([]byte(body)).MaxRetries(0).Do(h.t.Context()).Error()
		}()
	}
	for range n {
		if err := <-failed; apierrors.IsTooManyRequests(err) {
			refused++
		} else if err != nil {
			h.t.Errorf("a validation that waited in vain: %v", err)
		}
	}
	now := 0
	for _, call := range stage.Calls(h.t, limaHome) {
		switch call {
		case stage.ValidateBegins:
			begun++
			now++
		case stage.ValidateEnds:
			now--
		}
		most = max(most, now)
	}
	return begun, most, refused
}
