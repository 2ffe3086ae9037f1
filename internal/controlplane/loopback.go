// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
)

// loopbackHost is the API server's host in the URLs of requests within the process.
const loopbackHost = "http://rdd.invalid"

// loopbackKey marks the context of a request through [loopback].
type loopbackKey struct{}

// isLoopback reports whether a request came from within the process.
func isLoopback(ctx context.Context) bool { return ctx.Value(loopbackKey{}) != nil }

// loopback is an [http.RoundTripper] that calls the API server's handler
// directly: no socket, no TLS, no HTTP framing.
type loopback struct {
	ready   chan struct{} // closed when there is a handler
	handler http.Handler  // set before ready is closed
}

func newLoopback() *loopback { return &loopback{ready: make(chan struct{})} }

// config returns a client configuration that uses the transport and token.
func (l *loopback) config(token string) *rest.Config {
	return &rest.Config{
		Host:               loopbackHost,
		Transport:          l,
		BearerToken:        token,
		DisableCompression: true,
		QPS:                -1, // no client-side limit
	}
}

// serve starts serving; earlier requests are waiting for it.
func (l *loopback) serve(handler http.Handler) {
	l.handler = handler
	close(l.ready)
}

// RoundTrip calls the handler in a goroutine, and returns when the handler flushes (a
// watch does after its header) or returns.
func (l *loopback) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-l.ready:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	ctx, cancel := context.WithCancel(context.WithValue(req.Context(), loopbackKey{}, true))
	inner := req.Clone(ctx)
	inner.RequestURI = req.URL.RequestURI()
	inner.RemoteAddr = "127.0.0.1:0"
	inner.Proto, inner.ProtoMajor, inner.ProtoMinor = "HTTP/2.0", 2, 0
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	w := newResponse(ctx, cancel)
	go func() {
		defer w.finish()
		l.handler.ServeHTTP(w, inner)
	}()
	select {
	case <-w.started:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	resp := &http.Response{
		Status:        http.StatusText(w.status),
		StatusCode:    w.status,
		Proto:         inner.Proto,
		ProtoMajor:    inner.ProtoMajor,
		ProtoMinor:    inner.ProtoMinor,
		Header:        w.sent,
		Body:          w,
		ContentLength: -1,
		Request:       req,
	}
	return resp, nil
}

// response is both ends of one exchange: the handler writes to it and the client reads
// from it. Its buffer is unbounded, because the clients are in this process, and keep
// reading every response that they keep open.
type response struct {
	ctx    context.Context
	cancel context.CancelFunc

	header  http.Header // the handler's, until it is sent
	started chan struct{}
	// status and sent are written before started is closed.
	status int
	sent   http.Header

	mu     sync.Mutex
	ready  *sync.Cond   // signaled when a field that mu guards changes
	buffer bytes.Buffer // guarded by mu
	done   bool         // guarded by mu; the handler has returned
	err    error        // guarded by mu; the final error of Read
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ http.Flusher        = (*response)(nil)
	// The API server recognizes HTTP/2 writers by this interface, and serves watches
	// only to them.
	_ http.CloseNotifier = (*response)(nil) //nolint:staticcheck // see above
)

func newResponse(ctx context.Context, cancel context.CancelFunc) *response {
	r := &response{ctx: ctx, cancel: cancel, header: http.Header{}, started: make(chan struct{})}
	r.ready = sync.NewCond(&r.mu)
	context.AfterFunc(ctx, func() { r.end(ctx.Err()) })
	return r
}

// Header implements [http.ResponseWriter].
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements [http.ResponseWriter]. The client receives nothing before the
// first flush, so that a short response is one wake-up.
func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
		r.sent = r.header.Clone()
	}
}

// Write implements [http.ResponseWriter].
func (r *response) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.buffer.Write(p)
	r.ready.Signal()
	return n, err
}

// Flush implements [http.Flusher].
func (r *response) Flush() {
	r.WriteHeader(http.StatusOK)
	select {
	case <-r.started:
	default:
		close(r.started)
	}
}

// CloseNotify implements http.CloseNotifier.
func (r *response) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(r.ctx, func() { gone <- true })
	return gone
}

// finish completes the response after the handler, which may have panicked: the API
// server does that on purpose to abort a response.
func (r *response) finish() {
	err := io.EOF
	if reason := recover(); reason != nil {
		err = fmt.Errorf("the API server aborted the response: %v", reason)
	}
	r.end(err)
	r.Flush()
}

func (r *response) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done {
		r.done, r.err = true, err
		r.ready.Broadcast()
	}
}

// Read implements [io.Reader] for the client.
func (r *response) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.buffer.Len() == 0 && !r.done {
		r.ready.Wait()
	}
	if r.buffer.Len() > 0 {
		return r.buffer.Read(p)
	}
	return 0, r.err
}

// Close implements [io.Closer] for the client: the handler's context ends.
func (r *response) Close() error {
	r.cancel()
	return nil
}
