// SPDX-License-Identifier: Apache-2.0

package fakedocker

import "net/http"

// place is where an engine says that it is.
type place struct{ hostName, rootDir string }

// SetPlace makes the engine say that it is on a machine of that name, and keeps its
// objects in that directory; what is empty is as it was at first.
func (s *Server) SetPlace(hostName, rootDir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place = place{hostName, rootDir}
}

// SetAnswer makes a route, as [Server.Requests] names it, answer with something
// else from now on; nil ends that.
func (s *Server) SetAnswer(route string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.answers == nil {
		s.faults.answers = map[string]http.HandlerFunc{}
	}
	s.faults.answers[route] = answer
}

func (s *Server) answer(route string) http.HandlerFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.answers[route]
}
