// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"context"
	"net/http"

	"github.com/moby/moby/api/types/container"
)

// removals are faults of the removal of single objects, by what the request
// names: the ID or name of a container, the ID or reference of an image, the name
// of a volume. They are guarded by Server.mu.
type removals struct {
	fail  map[string]removalFailure
	hung  map[string]chan struct{} // closed when the removal continues
	asked map[string][]string      // raw queries of the requests so far
}

type removalFailure struct {
	status int
	text   func(try int) string
	times  int
	tries  int
}

// FailRemoval makes the next removals of an object fail with an HTTP status and
// the engine's words, which depend on the number of the try: that many times, as
// in [Server.FailRoute]. A container that fails with 500 is dead from then on,
// as in dockerd, where its file system could not be removed.
func (s *Server) FailRemoval(name string, status, times int, text func(try int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.removals.fail == nil {
		s.faults.removals.fail = map[string]removalFailure{}
	}
	s.faults.removals.fail[name] = removalFailure{status: status, text: text, times: times}
}

// HangRemoval makes removals of an object wait until release is called, the
// client goes, or the engine stops. A container is in removal until then.
func (s *Server) HangRemoval(name string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.removals.hung == nil {
		s.faults.removals.hung = map[string]chan struct{}{}
	}
	hung := make(chan struct{})
	s.faults.removals.hung[name] = hung
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.faults.removals.hung[name] == hung {
			delete(s.faults.removals.hung, name)
			close(hung)
		}
	}
}

// Removals returns the queries with which the removal of an object was asked for.
func (s *Server) Removals(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.faults.removals.asked[name]...)
}

// removalGate is passed by each removal.
func (s *Server) removalGate(ctx context.Context, name, query string) error {
	s.mu.Lock()
	if s.faults.removals.asked == nil {
		s.faults.removals.asked = map[string][]string{}
	}
	s.faults.removals.asked[name] = append(s.faults.removals.asked[name], query)
	if hung := s.faults.removals.hung[name]; hung != nil {
		s.enterRemovalLocked(name, container.StateRemoving)
		s.mu.Unlock()
		select {
		case <-hung:
		case <-ctx.Done():
			return errCut
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	fault := s.faults.removals.fail[name]
	if fault.times == 0 {
		return nil
	}
	fault.tries++
	if fault.times > 0 {
		fault.times--
	}
	s.faults.removals.fail[name] = fault
	if fault.status == http.StatusInternalServerError {
		s.enterRemovalLocked(name, container.StateDead)
	}
	return refuse(fault.status, "%s", fault.text(fault.tries))
}

// enterRemovalLocked gives a container a state on its way out.
func (s *Server) enterRemovalLocked(name string, state container.ContainerState) {
	c, err := s.containerLocked(name)
	if err != nil {
		return
	}
	if c.running() {
		s.signalLocked(c, 9)
	}
	s.enterLocked(c, state)
}
