// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"context"
	"strings"
	"time"
)

// hangs is the configuration of slow answers. It is guarded by Server.mu.
type hangs struct {
	routes   map[string]time.Duration
	inspects map[string]chan struct{} // closed when they go on
	waiting  int                      // inspects that hang now
}

// HangInspect makes new inspects of an object (as [Server.FailInspect] names it,
// in the words of the request) wait until it is turned off, or the client goes.
func (s *Server) HangInspect(id string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hung := s.hangs.inspects[id]
	switch {
	case on && hung == nil:
		if s.hangs.inspects == nil {
			s.hangs.inspects = map[string]chan struct{}{}
		}
		s.hangs.inspects[id] = make(chan struct{})
	case !on && hung != nil:
		close(hung)
		delete(s.hangs.inspects, id)
	}
}

// HangingInspects returns how many inspects wait now, as HangInspect has them.
func (s *Server) HangingInspects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hangs.waiting
}

// SetListLatency makes a list take that much longer; 0 ends it, for new ones.
func (s *Server) SetListLatency(list List, d time.Duration) {
	s.SetRouteLatency(string(list), d)
}

// SetRouteLatency is [Server.SetLatency] for one route, as [Server.Requests]
// names it.
func (s *Server) SetRouteLatency(route string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hangs.routes == nil {
		s.hangs.routes = map[string]time.Duration{}
	}
	s.hangs.routes[route] = d
}

// hold lets a request of a route about an object pass when it shall.
func (s *Server) hold(ctx context.Context, found *route, arg string) error {
	s.mu.Lock()
	latency := s.hangs.routes[found.name]
	var hung chan struct{}
	if strings.HasPrefix(found.name, "GET ") && arg != "" {
		hung = s.hangs.inspects[arg]
	}
	if hung != nil {
		s.hangs.waiting++
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hangs.waiting--
		}()
	}
	s.mu.Unlock()
	if latency > 0 {
		if err := pause(ctx, latency); err != nil {
			return err
		}
	}
	if hung == nil {
		return nil
	}
	select {
	case <-hung:
		return nil
	case <-ctx.Done():
		return errCut
	}
}
