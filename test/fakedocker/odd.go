// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
)

// AddContainer makes a container of a request, which is the server's from then on, with no limit of its size, and returns its ID.
func (s *Server) AddContainer(name string, request container.CreateRequest) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.createLocked(name, request)
	if err != nil {
		return "", err
	}
	return c.id, nil
}

// SetCreated makes a container one that was created at a time. It reports whether there is such a container.
func (s *Server) SetCreated(id string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(id)
	if err != nil {
		return false
	}
	c.created = at
	return true
}

// ListWithoutAddresses makes lists show the ports of a container without addresses, as Podman does; an inspection has them. It reports whether there
// is such a container.
func (s *Server) ListWithoutAddresses(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(id)
	if err != nil {
		return false
	}
	c.noAddresses = true
	return true
}

// listedPorts returns the ports of a container as lists show them.
func listedPorts(c *ctr) []port {
	ports := portsOf(c)
	if !c.noAddresses {
		return ports
	}
	ports = slices.Clone(ports)
	for i := range ports {
		ports[i].IP = ""
	}
	return ports
}
