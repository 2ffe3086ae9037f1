// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
)

// networks are guarded by Server.mu.
type networks struct {
	byID map[string]*network.Network // what they point to is never changed
	made int
}

// predefined are the networks that each engine has, with their drivers.
var predefined = map[string]string{defaultNetwork: "bridge", "host": "host", "none": "null"}

func newNetworks(now time.Time) networks {
	n := networks{byID: map[string]*network.Network{}}
	for name, driver := range predefined {
		made := &network.Network{Name: name, ID: NetworkID(name), Created: now, Scope: "local", Driver: driver, EnableIPv4: driver == "bridge", IPAM: network.IPAM{Driver: "default"}}
		if driver == "bridge" {
			made.IPAM.Config = []network.IPAMConfig{{Subnet: netip.MustParsePrefix("172.17.0.0/16"), Gateway: netip.MustParseAddr("172.17.0.1")}}
			made.Options = map[string]string{"com.docker.network.bridge.default_bridge": "true"}
		}
		n.byID[made.ID] = made
	}
	return n
}

// networkLocked finds a network by its ID, its name or the beginning of its ID.
func (s *Server) networkLocked(reference string) (*network.Network, error) {
	if n := s.nets.byID[reference]; n != nil {
		return n, nil
	}
	var found *network.Network
	for _, n := range s.nets.byID {
		if n.Name == reference {
			return n, nil
		}
		if reference != "" && strings.HasPrefix(n.ID, reference) {
			found = n
		}
	}
	if found == nil {
		return nil, refuse(http.StatusNotFound, "network %s not found", reference)
	}
	return found, nil
}

func (s *Server) listNetworks(w http.ResponseWriter, r *http.Request, _ string) error {
	filter, err := readFilters(r, "id", "name", "driver", "label", "scope")
	if err != nil {
		return err
	}
	list := []network.Summary{}
	s.mu.Lock()
	for _, n := range s.nets.byID {
		if filter.any("id", func(value string) bool { return strings.HasPrefix(n.ID, value) }) &&
			filter.any("name", func(value string) bool { return strings.Contains(n.Name, value) }) &&
			filter.exact("driver", n.Driver) && filter.exact("scope", n.Scope) && filter.labels(n.Labels) {
			list = append(list, network.Summary{Network: *n})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b network.Summary) int { return cmp.Compare(a.Name, b.Name) })
	return s.writeList(w, Networks, list)
}

func (s *Server) inspectNetwork(w http.ResponseWriter, _ *http.Request, reference string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inspectFailsLocked(reference) {
		return refuse(http.StatusInternalServerError, "fakedocker: the inspect of network %s is set to fail", reference)
	}
	n, err := s.networkLocked(reference)
	if err != nil {
		return err
	}
	answer := network.Inspect{Network: *n, Containers: map[string]network.EndpointResource{}}
	for _, c := range s.connectedLocked(n.Name) {
		answer.Containers[c.id] = network.EndpointResource{Name: c.name}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// connectedLocked returns the running containers that are connected to a network.
func (s *Server) connectedLocked(name string) []*ctr {
	var connected []*ctr
	for _, c := range s.ctrs.byID {
		if _, ok := c.networks[name]; ok && c.running() {
			connected = append(connected, c)
		}
	}
	return connected
}

func (s *Server) createNetwork(w http.ResponseWriter, r *http.Request, _ string) error {
	var request network.CreateRequest
	if err := readJSON(r, &request); err != nil {
		return err
	}
	if strings.TrimSpace(request.Name) == "" {
		return refuse(http.StatusBadRequest, "invalid network name: must not be empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nets.byID[NetworkID(request.Name)] != nil {
		return refuse(http.StatusConflict, "network with name %s already exists", request.Name)
	}
	n := &network.Network{
		Name: request.Name, ID: NetworkID(request.Name), Created: s.clock().UTC(), Scope: "local", Driver: cmp.Or(request.Driver, "bridge"), EnableIPv4: true,
		EnableIPv6: request.EnableIPv6 != nil && *request.EnableIPv6, Internal: request.Internal, Attachable: request.Attachable,
		Options: request.Options, Labels: request.Labels,
	}
	if n.IPAM = (network.IPAM{Driver: "default"}); request.IPAM != nil && len(request.IPAM.Config) > 0 {
		n.IPAM = *request.IPAM
	} else {
		third := byte(s.nets.made % 256)
		n.IPAM.Config = []network.IPAMConfig{{
			Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 200, third, 0}), 24), Gateway: netip.AddrFrom4([4]byte{10, 200, third, 1}),
		}}
	}
	s.nets.made++
	s.nets.byID[n.ID] = n
	s.emitLocked(events.NetworkEventType, events.ActionCreate, n.ID, map[string]string{"name": n.Name, "type": n.Driver})
	return writeJSON(w, http.StatusCreated, network.CreateResponse{ID: n.ID})
}

func (s *Server) removeNetwork(w http.ResponseWriter, r *http.Request, reference string) error {
	if err := s.removalGate(r.Context(), reference, r.URL.RawQuery); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.networkLocked(reference)
	if err != nil {
		return err
	}
	if predefined[n.Name] != "" {
		return refuse(http.StatusForbidden, "%s is a pre-defined network and cannot be removed", n.Name)
	}
	if len(s.connectedLocked(n.Name)) > 0 {
		return refuse(http.StatusForbidden, "error while removing network: network %s id %s has active endpoints", n.Name, n.ID)
	}
	delete(s.nets.byID, n.ID)
	s.emitLocked(events.NetworkEventType, events.ActionDestroy, n.ID, map[string]string{"name": n.Name, "type": n.Driver})
	return noContent(w)
}

// joinNetwork connects a container to a network, or disconnects it. Of a container
// that doesn't run dockerd has no event for that.
func (s *Server) joinNetwork(w http.ResponseWriter, reference, container string, join bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.networkLocked(reference)
	if err != nil {
		return err
	}
	c, err := s.containerLocked(container)
	if err != nil {
		return err
	}
	connected := maps.Clone(c.networks)
	_, there := connected[n.Name]
	action := events.ActionConnect
	switch {
	case there == join && join:
		return refuse(http.StatusForbidden, "endpoint with name %s already exists in network %s", c.name, n.Name)
	case there == join:
		return refuse(http.StatusForbidden, "container %s is not connected to network %s", c.id, n.Name)
	case join:
		endpoint := &network.EndpointSettings{NetworkID: n.ID}
		if c.running() {
			endpoint.EndpointID, endpoint.IPAddress = newHexID(), s.addressLocked()
		}
		connected[n.Name] = endpoint
	default:
		action = events.ActionDisconnect
		delete(connected, n.Name)
	}
	c.networks = connected
	if c.running() {
		s.emitLocked(events.NetworkEventType, action, n.ID, map[string]string{"container": c.id, "name": n.Name, "type": n.Driver})
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Server) connectNetwork(w http.ResponseWriter, r *http.Request, reference string) error {
	var request network.ConnectRequest
	if err := readJSON(r, &request); err != nil {
		return err
	}
	return s.joinNetwork(w, reference, request.Container, true)
}

func (s *Server) disconnectNetwork(w http.ResponseWriter, r *http.Request, reference string) error {
	var request network.DisconnectRequest
	if err := readJSON(r, &request); err != nil {
		return err
	}
	return s.joinNetwork(w, reference, request.Container, false)
}
