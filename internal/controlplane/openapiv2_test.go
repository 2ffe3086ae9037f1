// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// TestOpenAPIv2IsNotKept: the document is built for the first request, kept for the next
// ones until the kinds change or none comes, and tried again after a failure.
func TestOpenAPIv2IsNotKept(t *testing.T) {
	var built, kinds atomic.Uint64
	var failure error
	served := &openAPIv2{
		build: func() (*spec.Swagger, error) {
			built.Add(1)
			return &spec.Swagger{SwaggerProps: spec.SwaggerProps{Swagger: "2.0"}}, failure
		},
		kinds: kinds.Load,
		idle:  time.Hour,
	}
	ask := func(wantCode int, wantBuilt uint64) {
		t.Helper()
		answer := httptest.NewRecorder()
		served.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, openAPIv2Path, nil))
		if answer.Code != wantCode || built.Load() != wantBuilt {
			t.Errorf("%d, built %d times; want %d, %d", answer.Code, built.Load(), wantCode, wantBuilt)
		}
	}
	if built.Load() != 0 {
		t.Error("it was built before a request")
	}
	failure = errors.New("test")
	ask(http.StatusInternalServerError, 1)
	failure = nil
	ask(http.StatusOK, 2)
	ask(http.StatusOK, 2)
	kinds.Add(1)
	ask(http.StatusOK, 3)
	served.idle = time.Millisecond
	ask(http.StatusOK, 3)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		served.mu.Lock()
		made := served.made
		served.mu.Unlock()
		if made == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the document is kept")
		}
	}
	ask(http.StatusOK, 4)
}
