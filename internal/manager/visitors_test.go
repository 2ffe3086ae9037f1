// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestVisitorsEnd: when a controller stops, the requests at its endpoints are canceled
// and waited for, and new ones are rejected.
func TestVisitorsEnd(t *testing.T) {
	v := newVisitors()
	begun, ended := make(chan struct{}), false
	handler := v.attend(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		time.Sleep(50 * time.Millisecond)
		ended = true
	}))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	go handler.ServeHTTP(httptest.NewRecorder(), request)
	<-begun
	v.end(time.Minute)
	if !ended {
		t.Error("a request goes on")
	}
	late := httptest.NewRecorder()
	handler.ServeHTTP(late, request)
	if late.Code != http.StatusServiceUnavailable {
		t.Errorf("a request that came later: %d", late.Code)
	}
}
