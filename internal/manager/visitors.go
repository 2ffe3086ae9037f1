// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager/passthrough"
)

// visitorsGrace is how long the requests at a controller's endpoints may take to finish
// when the controller stops: to send the reason, and the last bytes.
const visitorsGrace = 3 * time.Second

// visitors are the active requests at the endpoints of a controller. Closing a server
// does not end upgraded ones: they must be canceled.
type visitors struct {
	ended context.Context // ends when the requests must end
	stop  context.CancelFunc

	mu     sync.Mutex
	count  int           // guarded by mu
	ending bool          // guarded by mu
	none   chan struct{} // closed when they have ended
}

func newVisitors() *visitors {
	v := &visitors{none: make(chan struct{})}
	v.ended, v.stop = context.WithCancel(context.Background())
	return v
}

// attend makes the context of a handler's requests end with the controller.
func (v *visitors) attend(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if !v.enter() {
			passthrough.Refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the controller is stopping")
			return
		}
		defer v.leave()
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		defer context.AfterFunc(v.ended, cancel)()
		handler.ServeHTTP(w, request.WithContext(ctx))
	})
}

func (v *visitors) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.ending {
		v.count++
	}
	return !v.ending
}

func (v *visitors) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count--
	v.tellLocked()
}

// end cancels all requests, and waits for them.
func (v *visitors) end(grace time.Duration) {
	v.mu.Lock()
	if v.ending {
		v.mu.Unlock()
		return
	}
	v.ending = true
	v.tellLocked()
	v.mu.Unlock()
	v.stop()
	select {
	case <-v.none:
	case <-time.After(grace):
	}
}

func (v *visitors) tellLocked() {
	if v.ending && v.count == 0 {
		close(v.none)
	}
}
