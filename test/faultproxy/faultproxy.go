// SPDX-License-Identifier: Apache-2.0

// Package faultproxy stands between a client and a real Docker engine, for tests,
// and injects faults into their connection that no engine can produce on request.
package faultproxy

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Proxy is a proxy of one engine at a time.
type Proxy struct {
	socket string

	mu       sync.Mutex
	target   string                   // guarded by mu; the engine's socket
	dropping bool                     // guarded by mu
	dropped  []byte                   // guarded by mu; what vanished so far
	streams  map[io.Closer]struct{}   // guarded by mu; open event streams
	faults   map[string]map[fault]int // guarded by mu; by the end of a path, how often
}

// fault is what happens to an answer.
type fault int

const (
	refused fault = iota // 500
	cut                  // half of it comes
)

// Start runs a proxy for the engine at an endpoint, unix:///…, until the test
// ends.
func Start(tb testing.TB, endpoint string) *Proxy {
	tb.Helper()
	dir, err := os.MkdirTemp("", "fp") // short, for the socket
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		socket: filepath.Join(dir, "d.sock"), target: strings.TrimPrefix(endpoint, "unix://"),
		streams: map[io.Closer]struct{}{}, faults: map[string]map[fault]int{},
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", p.socket)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, "unix", target)
	}}
	server := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker" },
		Transport:      transport,
		FlushInterval:  -1, // at once
		ModifyResponse: p.modify,
		ErrorLog:       log.New(io.Discard, "", 0),
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return p
}

// Endpoint returns the endpoint of the proxy.
func (p *Proxy) Endpoint() string { return "unix://" + p.socket }

// Point makes another engine answer from now on, and breaks the event streams.
func (p *Proxy) Point(endpoint string) {
	p.mu.Lock()
	p.target = strings.TrimPrefix(endpoint, "unix://")
	p.mu.Unlock()
	p.CutEvents()
}

// DropEvents makes what comes in event streams vanish, or ends that.
func (p *Proxy) DropEvents(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropping = on
}

// Dropped reports whether an event with a text has vanished.
func (p *Proxy) Dropped(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.dropped, []byte(text))
}

// CutEvents breaks the event streams that are open.
func (p *Proxy) CutEvents() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for stream := range p.streams {
		_ = stream.Close()
		delete(p.streams, stream)
	}
}

// Refuse makes the next answers to GET requests whose path ends so be a 500: that
// many times, -1 until it is 0 again.
func (p *Proxy) Refuse(path string, times int) { p.set(path, refused, times) }

// Truncate breaks the connection in the middle of the next answers, as Refuse.
func (p *Proxy) Truncate(path string, times int) { p.set(path, cut, times) }

func (p *Proxy) set(path string, f fault, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults[path] == nil {
		p.faults[path] = map[fault]int{}
	}
	p.faults[path][f] = times
}

func (p *Proxy) take(path string, f fault) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for end, left := range p.faults {
		if strings.HasSuffix(path, end) && left[f] != 0 {
			if left[f] > 0 {
				left[f]--
			}
			return true
		}
	}
	return false
}

func (p *Proxy) modify(response *http.Response) error {
	path := response.Request.URL.Path
	switch {
	case response.Request.Method != http.MethodGet:
	case strings.HasSuffix(path, "/events"):
		stream := &events{ReadCloser: response.Body, proxy: p}
		response.Body = stream
		p.mu.Lock()
		p.streams[stream.ReadCloser] = struct{}{}
		p.mu.Unlock()
	case p.take(path, refused):
		_ = response.Body.Close()
		const words = `{"message":"the proxy is set to refuse"}`
		response.StatusCode, response.ContentLength = http.StatusInternalServerError, int64(len(words))
		response.Header = http.Header{"Content-Type": {"application/json"}}
		response.Body = io.NopCloser(strings.NewReader(words))
	case p.take(path, cut):
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		response.Header.Del("Content-Length")
		response.ContentLength = -1
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(text[:len(text)/2])), broken{}))
	}
	return nil
}

// broken is the end of a connection that breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// events is the body of an event stream.
type events struct {
	io.ReadCloser
	proxy *Proxy
}

func (e *events) Read(b []byte) (int, error) {
	for {
		n, err := e.ReadCloser.Read(b)
		e.proxy.mu.Lock()
		dropping := e.proxy.dropping
		if dropping {
			e.proxy.dropped = append(e.proxy.dropped, b[:n]...)
		}
		e.proxy.mu.Unlock()
		if err != nil || !dropping {
			return n, err
		}
	}
}

func (e *events) Close() error {
	e.proxy.mu.Lock()
	delete(e.proxy.streams, e.ReadCloser)
	e.proxy.mu.Unlock()
	return e.ReadCloser.Close()
}
