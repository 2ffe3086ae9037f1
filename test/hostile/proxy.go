// SPDX-License-Identifier: Apache-2.0

// Package hostile stands between a client and a good engine, and answers in its
// place with what no engine should send: nothing, something else, too much, too
// slowly, for ever. It speaks Docker's API (HTTP/1.1) and containerd's (gRPC).
package hostile

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// Most is how many bytes of one answer are sent, for the sake of the machine
	// that runs the test: a client that has read all of them has no limit.
	Most = 256 << 20
	// sampleTime is how long a good answer may take to come, which others are made
	// of. What comes in it of a stream is the answer.
	sampleTime = 500 * time.Millisecond
)

// errMost ends an answer that was not cut off by its reader.
var errMost = errors.New("the client reads without end")

// Proxy is a hostile engine, once it attacks. Until then it passes on what the
// good one answers.
type Proxy struct {
	socket   string
	upstream http.Handler
	stop     context.CancelFunc

	most   atomic.Bool
	served atomic.Int64

	mu      sync.Mutex
	surface string                // guarded by mu; which requests are attacked
	answer  *Answer               // guarded by mu; nil for none
	conns   map[net.Conn]struct{} // guarded by mu
}

// Start runs a proxy before a handler that answers for a good engine, until the
// test ends. gRPC says that it speaks HTTP/2 only.
func Start(tb testing.TB, upstream http.Handler, gRPC bool) *Proxy {
	tb.Helper()
	dir, err := os.MkdirTemp("", "ho") // short, for the socket
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{socket: filepath.Join(dir, "h.sock"), upstream: upstream, conns: map[net.Conn]struct{}{}}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", p.socket)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!gRPC)
	protocols.SetUnencryptedHTTP2(gRPC)
	server := &http.Server{
		Handler:     p,
		Protocols:   protocols,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.conns[conn] = struct{}{}
			return ctx
		},
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				p.mu.Lock()
				defer p.mu.Unlock()
				delete(p.conns, conn)
			}
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		cancel()
		p.Cut()
		_ = server.Close()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return p
}

// Pass returns a handler that passes requests on to an engine at unix:///path.
func Pass(tb testing.TB, endpoint string, gRPC bool) http.Handler {
	tb.Helper()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(!gRPC)
	protocols.SetUnencryptedHTTP2(gRPC)
	path := strings.TrimPrefix(endpoint, "unix://")
	transport := &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}
	tb.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		Transport:     transport,
		FlushInterval: -1, // at once
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// Endpoint returns where it listens.
func (p *Proxy) Endpoint() string { return "unix://" + p.socket }

// Attack has requests of a surface answered so from now on, until [Proxy.Lift].
func (p *Proxy) Attack(surface string, answer Answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.surface, p.answer = surface, &answer
	p.served.Store(0)
}

// Lift ends the attack, and what is still being answered.
func (p *Proxy) Lift() {
	p.mu.Lock()
	p.answer = nil
	p.mu.Unlock()
	p.Cut()
}

// Served returns how many requests were attacked since the last attack began.
func (p *Proxy) Served() int64 { return p.served.Load() }

// Overrun reports whether a client has read [Most] bytes of an answer, and
// forgets it.
func (p *Proxy) Overrun() bool { return p.most.Swap(false) }

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	surface := surfaceOf(r)
	p.mu.Lock()
	answer := p.answer
	if surface != p.surface {
		answer = nil
	}
	p.mu.Unlock()
	if answer == nil {
		p.upstream.ServeHTTP(w, r)
		return
	}
	p.served.Add(1)
	x := &exchange{w: w, r: r, surface: surface, upstream: p.upstream}
	if answer.serve(x); errors.Is(x.err, errMost) {
		p.most.Store(true)
	}
	if x.conn != nil {
		p.mu.Lock()
		delete(p.conns, x.conn)
		p.mu.Unlock()
		_ = x.conn.Close()
	}
}

// Answer comes in the place of a good one.
type Answer struct {
	Name string
	// Garbage says that it is no answer at all, whatever was asked for. Else it is
	// an answer with odd values, or an odd way to give a good one.
	Garbage bool
	// Fails says that it is none to a request of which only the status counts.
	Fails bool
	// Quiet says that it takes longer than anybody waits.
	Quiet bool
	serve func(x *exchange)
}

// exchange is a request and what is answered.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	surface  string
	upstream http.Handler

	conn net.Conn // set by raw
	sent int
	err  error // what ended the answer
}

// sample returns what the good engine answers.
func (x *exchange) sample() *httptest.ResponseRecorder {
	ctx, cancel := context.WithTimeout(x.r.Context(), sampleTime)
	defer cancel()
	recorder := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }() // of http.ErrAbortHandler, when the time is over
		x.upstream.ServeHTTP(recorder, x.r.Clone(ctx))
	}()
	return recorder
}

// Write implements [io.Writer]: what it writes is counted, and comes at once.
func (x *exchange) Write(data []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	for part := range slices.Chunk(data, 32<<10) {
		if x.conn != nil {
			_, x.err = x.conn.Write(part)
		} else if _, x.err = x.w.Write(part); x.err == nil {
			x.err = http.NewResponseController(x.w).Flush()
		}
		if x.sent += len(part); x.sent > Most && x.err == nil {
			x.err = errMost
		}
		if x.err != nil {
			return 0, x.err
		}
	}
	return len(data), nil
}

// forever writes the same until its reader leaves.
func (x *exchange) forever(data []byte) {
	block := data
	for len(block) < 32<<10 && len(data) > 0 {
		block = append(block[:len(block):len(block)], data...)
	}
	for x.r.Context().Err() == nil {
		if _, err := x.Write(block); err != nil {
			return
		}
	}
}

// slowly writes a byte each second.
func (x *exchange) slowly(data []byte) {
	for i := range data {
		if _, err := x.Write(data[i : i+1]); err != nil {
			return
		}
		select {
		case <-x.r.Context().Done():
			return
		case <-time.After(time.Second):
		}
	}
	x.wait()
}

// wait does nothing until the client has gone, or the test ends.
func (x *exchange) wait() {
	if x.conn == nil {
		<-x.r.Context().Done()
		return
	}
	_, _ = x.conn.Read(make([]byte, 1)) // the client has sent all
}

// Find returns the answer with a name. It panics if there is none.
func Find(answers []Answer, name string) Answer {
	i := slices.IndexFunc(answers, func(a Answer) bool { return a.Name == name })
	return answers[i]
}
