// SPDX-License-Identifier: Apache-2.0

// Package faultyapi stands between a client and a real API server, for tests, and
// fails as an API server on a bad day does.
package faultyapi

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// The faults.
const (
	broken   = "connection broken"
	conflict = "conflict"
	internal = "internal error"
	timeout  = "timeout"
	lost     = "done, and the answer lost"
	cut      = "watch cut"
)

var faults = []string{broken, conflict, internal, timeout, lost}

// Faults fail a share of all requests that go through them.
type Faults struct {
	mu      sync.Mutex
	rand    *rand.Rand             // guarded by mu
	writes  float64                // guarded by mu; the share of writes that fail
	reads   float64                // guarded by mu; that of all others
	counts  map[string]int         // guarded by mu; by fault
	watches map[io.Closer]struct{} // guarded by mu; those that are open
}

// New returns faults that leave everything alone.
func New(r *rand.Rand) *Faults {
	return &Faults{rand: r, counts: map[string]int{}, watches: map[io.Closer]struct{}{}}
}

// Fail has a share of writes and of reads fail from now on, 0 to 1.
func (f *Faults) Fail(writes, reads float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.reads = writes, reads
}

// CutWatches breaks the watches that are open.
func (f *Faults) CutWatches() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for watch := range f.watches {
		_ = watch.Close()
		delete(f.watches, watch)
		f.counts[cut]++
	}
}

// Count returns how many faults there were.
func (f *Faults) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, n := range f.counts {
		sum += n
	}
	return sum
}

// String returns how often each fault occurred.
func (f *Faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.counts)
}

// next returns the fault of a request, empty for none.
func (f *Faults) next(request *http.Request) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	write := request.Method != http.MethodGet
	share := f.reads
	if write {
		share = f.writes
	}
	if f.rand.Float64() >= share {
		return ""
	}
	fault := faults[f.rand.IntN(len(faults))]
	if !write && fault == conflict {
		fault = internal // a read has no conflicts
	}
	f.counts[fault]++
	return fault
}

// Wrap is a [rest.Config.WrapTransport].
func (f *Faults) Wrap(next http.RoundTripper) http.RoundTripper { return transport{f, next} }

type transport struct {
	faults *Faults
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	switch t.faults.next(request) {
	case broken:
		return nil, errors.New("test: the connection broke")
	case conflict:
		return refusal(request, http.StatusConflict, "Conflict"), nil
	case internal:
		return refusal(request, http.StatusInternalServerError, "InternalError"), nil
	case timeout:
		return refusal(request, http.StatusGatewayTimeout, "Timeout"), nil
	case lost:
		response, err := t.next.RoundTrip(request)
		if err == nil {
			_ = response.Body.Close()
		}
		return nil, errors.New("test: the answer was lost")
	}
	response, err := t.next.RoundTrip(request)
	if err == nil && request.URL.Query().Get("watch") == "true" {
		response.Body = t.faults.open(response.Body)
	}
	return response, err
}

func (f *Faults) open(body io.ReadCloser) io.ReadCloser {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watches[body] = struct{}{}
	return watched{body, f}
}

// watched is the body of a watch.
type watched struct {
	io.ReadCloser
	faults *Faults
}

func (w watched) Close() error {
	w.faults.mu.Lock()
	delete(w.faults.watches, w.ReadCloser)
	w.faults.mu.Unlock()
	return w.ReadCloser.Close()
}

func refusal(request *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"database or disk is full","code":%d}`, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}
