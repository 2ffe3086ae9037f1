// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// faults is the configured faults, and the count of what it was
// asked. It is guarded by Server.mu.
type faults struct {
	requests    map[string]int
	latency     time.Duration
	pullDelay   time.Duration
	hung        chan struct{} // closed when requests go on; nil if they don't hang
	failRoute   map[string]failure
	failInspect map[string]int
	truncate    map[List]int
	failPull    int
	removals    removals
	answers     map[string]http.HandlerFunc
}

type failure struct{ status, times int }

func newFaults() faults {
	return faults{
		requests:    map[string]int{},
		failRoute:   map[string]failure{},
		failInspect: map[string]int{},
		truncate:    map[List]int{},
	}
}

// count counts a request by its route.
func (s *Server) count(route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.requests[route]++
}

// gate counts a request, and lets it pass when and if it shall.
func (s *Server) gate(ctx context.Context, route string) error {
	s.mu.Lock()
	s.faults.requests[route]++
	latency, hung := s.faults.latency, s.faults.hung
	fault := s.faults.failRoute[route]
	if fault.times > 0 {
		s.faults.failRoute[route] = failure{fault.status, fault.times - 1}
	}
	s.mu.Unlock()
	if latency > 0 {
		if err := pause(ctx, latency); err != nil {
			return err
		}
	}
	if hung != nil {
		select {
		case <-hung:
		case <-ctx.Done():
			return errCut
		}
	}
	switch {
	case fault.times != 0 && fault.status == http.StatusNotFound:
		return refuse(fault.status, "No such object, as %s is set to fail", route) // in the words of an engine
	case fault.times != 0:
		return refuse(fault.status, "fakedocker: %s is set to fail", route)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errCut
	}
}

// inspectFailsLocked reports whether to fail, for an object with these names.
func (s *Server) inspectFailsLocked(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return takeOne(s.faults.failInspect, name) })
}

// pullFailsLocked reports whether to fail a pull.
func (s *Server) pullFailsLocked() bool {
	left := s.faults.failPull
	if left > 0 {
		s.faults.failPull = left - 1
	}
	return left != 0
}

// takeOne takes one of the times that are left; less than none never end.
func takeOne[K comparable](left map[K]int, key K) bool {
	n := left[key]
	if n > 0 {
		left[key] = n - 1
	}
	return n != 0
}

// writeList answers with a list, or with half of it.
func (s *Server) writeList(w http.ResponseWriter, kind List, list any) error {
	s.mu.Lock()
	truncated := takeOne(s.faults.truncate, kind)
	s.mu.Unlock()
	if !truncated {
		return writeJSON(w, http.StatusOK, list)
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(list); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text.Bytes()[:text.Len()/2])
	_ = http.NewResponseController(w).Flush()
	return errCut
}

// SetID makes the engine answer as another one from now on.
func (s *Server) SetID(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
}

// SetLatency makes every request take that much longer; 0 ends it.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.latency = d
}

// SetPullDelay makes a pull wait before each line of progress; 0 ends it.
func (s *Server) SetPullDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.pullDelay = d
}

// HangRequests makes new requests, of whatever kind, wait until it is turned
// off, the client goes, or the engine stops. Open event streams go on.
func (s *Server) HangRequests(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case on && s.faults.hung == nil:
		s.faults.hung = make(chan struct{})
	case !on && s.faults.hung != nil:
		close(s.faults.hung)
		s.faults.hung = nil
	}
}

// FailRoute makes the next requests of a route, as [Server.Requests] names it,
// fail with an HTTP status: that many times, 0 to end it, -1 until ended.
func (s *Server) FailRoute(route string, status, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failRoute[route] = failure{status, times}
}

// List is a list that the engine gives, by its route.
type List string

// The lists.
const (
	Containers List = "GET /containers/json"
	Images     List = "GET /images/json"
	Volumes    List = "GET /volumes"
	Networks   List = "GET /networks"
)

// FailList makes the next lists of a kind fail with 500, that many times as in
// [Server.FailRoute].
func (s *Server) FailList(list List, times int) {
	s.FailRoute(string(list), http.StatusInternalServerError, times)
}

// TruncateList breaks the connection in the middle of the next lists of a kind,
// that many times as in [Server.FailRoute].
func (s *Server) TruncateList(list List, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.truncate[list] = times
}

// FailInspect makes the next inspects of an object (the ID or name of a
// container, the ID or reference of an image, the name of a volume) fail with
// 500, that many times as in [Server.FailRoute].
func (s *Server) FailInspect(id string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failInspect[id] = times
}

// FailPull makes the next pulls end half way with an error, that many times as
// in [Server.FailRoute].
func (s *Server) FailPull(times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.failPull = times
}

// MalformContainer gives the container a port with an unparsable IP address, in
// lists as when inspected. It reports whether there is such a container.
func (s *Server) MalformContainer(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(id)
	if err != nil {
		return false
	}
	c.malformed = true
	return true
}

// Requests returns how often each route was asked for, by its name such as
// "GET /containers/{id}/json".
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.faults.requests)
}
