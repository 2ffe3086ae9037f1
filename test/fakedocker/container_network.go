// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// port is a port as the API lists it. The address is text so that it can be a
// wrong one.
type port struct {
	IP          string `json:",omitempty"`
	PrivatePort uint16
	PublicPort  uint16 `json:",omitempty"`
	Type        string
}

// binding is a port of the host as the API shows it to who inspects.
type binding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

const defaultNetwork = "bridge"

// networkOf returns the container's network and its driver, or nothing if it
// shares another container's.
func networkOf(c *ctr) (name, driver string) {
	switch mode := string(c.host.NetworkMode); {
	case mode == "" || mode == "default" || mode == defaultNetwork:
		return defaultNetwork, "bridge"
	case mode == "none":
		return mode, "null"
	case mode == "host":
		return mode, "host"
	case strings.HasPrefix(mode, "container:"):
		return "", ""
	default:
		return mode, "bridge"
	}
}

// NetworkID returns the ID of the network of a name.
func NetworkID(name string) string { return hashOf("network:" + name) }

// connectLocked gives a container that starts what it has of the network.
func (s *Server) connectLocked(c *ctr) {
	name, driver := networkOf(c)
	if name == "" {
		return
	}
	endpoint := &network.EndpointSettings{NetworkID: NetworkID(name), EndpointID: newHexID()}
	if driver == "bridge" {
		c.address = s.addressLocked()
		ip := c.address.As4()
		endpoint.IPAddress = c.address
		endpoint.IPPrefixLen = 16
		endpoint.Gateway = netip.AddrFrom4([4]byte{172, 17, 0, 1})
		endpoint.MacAddress = network.HardwareAddr{0x02, 0x42, ip[0], ip[1], ip[2], ip[3]}
		c.ports = s.publishLocked(c)
	}
	networks := map[string]*network.EndpointSettings{name: endpoint}
	for other := range c.networks {
		if other != name { // it was connected to it since it was made
			networks[other] = &network.EndpointSettings{NetworkID: NetworkID(other), EndpointID: newHexID(), IPAddress: s.addressLocked()}
		}
	}
	c.networks = networks
}

func (s *Server) disconnectLocked(c *ctr) {
	if c.address.IsValid() {
		s.ctrs.freed = append(s.ctrs.freed, c.address)
	}
	c.address, c.ports = netip.Addr{}, nil
	networks := map[string]*network.EndpointSettings{}
	for name := range c.networks {
		networks[name] = &network.EndpointSettings{NetworkID: NetworkID(name)}
	}
	c.networks = networks
}

// idleNetworks are those of a container that was not started yet.
func idleNetworks(c *ctr) map[string]*network.EndpointSettings {
	name, _ := networkOf(c)
	if name == "" {
		return map[string]*network.EndpointSettings{}
	}
	return map[string]*network.EndpointSettings{name: {NetworkID: NetworkID(name)}}
}

// addressLocked returns an address that no container has. (With more than a
// million running it leaves the network 172.16.0.0/12.)
func (s *Server) addressLocked() netip.Addr {
	if n := len(s.ctrs.freed); n > 0 {
		address := s.ctrs.freed[n-1]
		s.ctrs.freed = s.ctrs.freed[:n-1]
		return address
	}
	s.ctrs.lastAddress = s.ctrs.lastAddress.Next()
	return s.ctrs.lastAddress
}

// publishLocked returns the ports of a container that starts, sorted.
func (s *Server) publishLocked(c *ctr) []port {
	var ports []port
	exposed := maps.Clone(c.config.ExposedPorts)
	for private, bindings := range c.host.PortBindings {
		delete(exposed, private)
		for _, b := range bindings {
			ip := "0.0.0.0"
			if b.HostIP.IsValid() {
				ip = b.HostIP.String()
			}
			ports = append(ports, port{
				IP: ip, PrivatePort: private.Num(), PublicPort: s.hostPortLocked(b.HostPort), Type: string(private.Proto()),
			})
		}
	}
	for private := range exposed {
		ports = append(ports, port{PrivatePort: private.Num(), Type: string(private.Proto())})
	}
	slices.SortFunc(ports, func(a, b port) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), cmp.Compare(a.Type, b.Type),
			cmp.Compare(a.IP, b.IP), cmp.Compare(a.PublicPort, b.PublicPort))
	})
	return ports
}

// hostPortLocked returns the port that was asked for (of a range the first), or
// any.
func (s *Server) hostPortLocked(wanted string) uint16 {
	first, _, _ := strings.Cut(wanted, "-")
	if number, err := strconv.ParseUint(first, 10, 16); err == nil && number > 0 {
		return uint16(number)
	}
	s.ctrs.hostPorts++
	return firstHostPort + s.ctrs.hostPorts%(1<<16-firstHostPort)
}

// portMap returns the ports in the form for who inspects.
func portMap(ports []port) map[string][]binding {
	byPort := map[string][]binding{}
	for _, p := range ports {
		key := strconv.Itoa(int(p.PrivatePort)) + "/" + p.Type
		if p.PublicPort == 0 {
			byPort[key] = nil
			continue
		}
		byPort[key] = append(byPort[key], binding{HostIP: p.IP, HostPort: strconv.Itoa(int(p.PublicPort))})
	}
	return byPort
}
