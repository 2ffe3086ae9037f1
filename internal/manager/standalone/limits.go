// SPDX-License-Identifier: Apache-2.0

package standalone

import (
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

const (
	// headerTimeout bounds the TLS handshake and the header of a request, idleTimeout
	// the pause between two requests of a connection.
	headerTimeout = 5 * time.Second
	idleTimeout   = time.Minute
	maxHeader     = 64 << 10 // bytes

	// refusedTimeout is how long a rejected client may take to read the response.
	refusedTimeout = time.Second
)

// limit bounds the requests at a handler that answers promptly and does not stream.
type limit struct {
	slots chan struct{} // one for each active request
	// wait is how long a request waits for a slot, and timeout bounds the whole
	// request, including its body and response.
	wait, timeout time.Duration
	body          int64 // bytes
}

func newLimit(atOnce int, wait, timeout time.Duration, body int64) *limit {
	return &limit{slots: make(chan struct{}, atOnce), wait: wait, timeout: timeout, body: body}
}

// bound returns the handler with the limit applied.
func (l *limit) bound(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control, deadline := http.NewResponseController(w), time.Now().Add(l.wait+l.timeout)
		_ = control.SetReadDeadline(deadline)
		_ = control.SetWriteDeadline(deadline)
		defer func() { // the connection may have more requests
			_ = control.SetReadDeadline(time.Time{})
			_ = control.SetWriteDeadline(time.Time{})
		}()
		waited := time.NewTimer(l.wait)
		defer waited.Stop()
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		case <-r.Context().Done():
			return
		case <-waited.C:
			w.Header().Set("Retry-After", strconv.Itoa(1))
			passthrough.Refuse(w, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many concurrent requests: try again later")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, l.body)
		handler.ServeHTTP(w, r)
	})
}

// refuse rejects an unauthenticated client, without reading the body.
func refuse(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(refusedTimeout))
	_ = control.SetWriteDeadline(time.Now().Add(refusedTimeout))
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	passthrough.Refuse(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
}
