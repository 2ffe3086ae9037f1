// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"strconv"
	"strings"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
)

// maxPlainPorts is how many ports a Container shows one by one.
const maxPlainPorts = 64

// foldPorts returns the ports with runs as one entry each, if there are more than [maxPlainPorts]: consecutive numbers of one protocol on the
// same host addresses, with the same distance to the host ports. "8000-8010/tcp" is such an entry, with the host port "8000-8010". The ports
// must be in ascending order, and are not changed.
func foldPorts(ports []containersv1alpha1.Port) []containersv1alpha1.Port {
	if len(ports) <= maxPlainPorts {
		return ports
	}
	var runs []*portRun
	open := map[string]*portRun{} // the newest run, by protocol
	for i := range ports {
		next, ok := newPortRun(&ports[i])
		if run := open[next.protocol]; ok && run != nil && run.extend(next) {
			continue
		}
		runs = append(runs, next)
		if ok {
			open[next.protocol] = next
		}
	}
	folded := make([]containersv1alpha1.Port, len(runs))
	for i, run := range runs {
		folded[i] = run.port()
	}
	return folded
}

// portRun is a run of ports: the numbers from first to last.
type portRun struct {
	alone       *containersv1alpha1.Port // the first one
	first, last uint64
	protocol    string
	hosts       []hostPort // of the first one
}

type hostPort struct {
	address string
	number  uint64
}

// newPortRun returns a run of one port, and whether it can be extended: all its numbers are valid.
func newPortRun(port *containersv1alpha1.Port) (*portRun, bool) {
	text, protocol, _ := strings.Cut(port.Name, "/")
	number, ok := portNumber(text)
	if !ok {
		return &portRun{alone: port}, false
	}
	run := &portRun{alone: port, first: number, last: number, protocol: protocol}
	for _, binding := range port.Bindings {
		number, ok := portNumber(binding.HostPort)
		if !ok {
			return run, false
		}
		run.hosts = append(run.hosts, hostPort{binding.HostIP, number})
	}
	return run, true
}

// portNumber parses a port number in its canonical form.
func portNumber(text string) (uint64, bool) {
	number, err := strconv.ParseUint(text, 10, 16)
	return number, err == nil && strconv.FormatUint(number, 10) == text
}

// extend appends a run of one port, and reports whether it is the next one.
func (r *portRun) extend(next *portRun) bool {
	if next.first != r.last+1 || len(next.hosts) != len(r.hosts) {
		return false
	}
	for i, host := range r.hosts {
		if next.hosts[i].address != host.address || next.hosts[i].number != host.number+next.first-r.first {
			return false
		}
	}
	r.last = next.first
	return true
}

func (r *portRun) port() containersv1alpha1.Port {
	if r.first == r.last {
		return *r.alone
	}
	port := containersv1alpha1.Port{Name: numbers(r.first, r.last) + "/" + r.protocol}
	for _, host := range r.hosts {
		port.Bindings = append(port.Bindings, containersv1alpha1.PortBinding{
			HostIP: host.address, HostPort: numbers(host.number, host.number+r.last-r.first),
		})
	}
	return port
}

func numbers(first, last uint64) string {
	return strconv.FormatUint(first, 10) + "-" + strconv.FormatUint(last, 10)
}
