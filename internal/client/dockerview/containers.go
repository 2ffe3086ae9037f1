// SPDX-License-Identifier: Apache-2.0

package dockerview

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/container"
	"sigs.k8s.io/controller-runtime/pkg/client"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/client/listing"
)

// noHealthcheck is Docker's health of a container that has no health check.
const noHealthcheck = "none"

// Containers is the kind of containers.
func Containers() *Kind {
	return &Kind{
		Table: listing.Containers(),
		filters: []string{
			"ancestor", "before", engineFilter, "exited", "expose", "health", "id", "label", "name", "network", "publish", "since", "status", "volume",
		},
		unanswered: map[string]string{
			"isolation": "the objects do not have a container's isolation, use `docker ps`",
			"is-task":   "the objects do not tell whether a container belongs to a swarm, use `docker ps`",
		},
		check:  checkContainerFilters,
		reads:  []listing.Table{listing.Containers(), listing.Images()},
		choose: chooseContainers,
		blank: func(o *Options) row {
			return &containerRow{common: common{HeaderContext: containerHeaders(), obj: &containersv1alpha1.Container{}, full: o.Full}, status: &containersv1alpha1.ContainerStatus{}}
		},
		format: func(source string, o *Options) formatter.Format {
			return formatter.NewContainerFormat(source, o.Quiet, false)
		},
		wide: "\t{{.Networks}}\t{{.Mounts}}\t{{.Project}}",
		sorts: map[string]func(a, b row) int{
			"created": byContainer(func(a, b *containerRow) int { return timeOf(a.status.CreatedAt).Compare(timeOf(b.status.CreatedAt)) }),
			"engine":  func(a, b row) int { return cmp.Compare(listing.EngineOf(a.object()), listing.EngineOf(b.object())) },
			"image":   byContainer(func(a, b *containerRow) int { return cmp.Compare(a.image.name, b.image.name) }),
			"name":    byContainer(func(a, b *containerRow) int { return cmp.Compare(a.status.Name, b.status.Name) }),
			"status":  byContainer(func(a, b *containerRow) int { return cmp.Compare(a.status.Status, b.status.Status) }),
		},
	}
}

func byContainer(compare func(a, b *containerRow) int) func(a, b row) int {
	return func(a, b row) int { return compare(a.(*containerRow), b.(*containerRow)) }
}

func checkContainerFilters(f Filters) error {
	if err := f.oneOf("status", "created", "running", "paused", "restarting", "removing", "exited", "dead"); err != nil {
		return err
	}
	if err := f.oneOf("health", noHealthcheck, string(container.Starting), string(container.Healthy), string(container.Unhealthy)); err != nil {
		return err
	}
	for _, code := range f["exited"] {
		if _, err := strconv.Atoi(code); err != nil {
			return fmt.Errorf("filter exited=%q: must be an exit code", code)
		}
	}
	for _, name := range []string{"expose", "publish"} {
		for _, value := range f[name] {
			if _, err := parsePorts(value); err != nil {
				return fmt.Errorf("filter %s=%q: %w", name, value, err)
			}
		}
	}
	return nil
}

// span is a range of ports of a protocol.
type span struct {
	first, last int
	protocol    string
}

func (s span) has(port uint16, protocol string) bool {
	return int(port) >= s.first && int(port) <= s.last && protocol == s.protocol
}

func parsePorts(value string) (span, error) {
	numbers, protocol, found := strings.Cut(value, "/")
	if !found || protocol == "" {
		protocol = "tcp"
	}
	first, last := portRange(numbers)
	if first == 0 && numbers != "0" {
		return span{}, errors.New("must be PORT or FIRST-LAST, with or without /PROTOCOL")
	}
	return span{first, last, strings.ToLower(protocol)}, nil
}

// chooseContainers is [Kind.choose] of containers, newest first.
func chooseContainers(w *world, o *Options) ([]row, error) {
	images := newImageIndex(w.images)
	pick := &containerPick{Options: o, images: images}
	if err := pick.resolve(w.containers); err != nil {
		return nil, err
	}
	var rows []row
	for i := range w.containers {
		c := &w.containers[i]
		if !pick.includes(c) {
			continue
		}
		if o.Last > 0 && len(rows) == o.Last {
			break
		}
		rows = append(rows, &containerRow{
			common: common{HeaderContext: containerHeaders(), obj: c, full: o.Full, now: w.now, problem: w.problem},
			status: &c.Status, image: images.shown(c),
		})
	}
	return rows, nil
}

// containerPick decides which containers the options select.
type containerPick struct {
	*Options
	images   *imageIndex
	position map[client.Object]int // in the list, newest first
	after    int                   // of the container in the filter before; -1 for none
	until    int                   // of the container in the filter since; the number of containers for none
	// ancestors has the IDs of images by scope.
	ancestors map[string]bool
}

// resolve finds the objects that filters name. The containers are newest first.
func (p *containerPick) resolve(containers []containersv1alpha1.Container) error {
	p.position = make(map[client.Object]int, len(containers))
	for i := range containers {
		p.position[&containers[i]] = i
	}
	p.after, p.until = -1, len(containers)
	for _, name := range p.Filters["before"] {
		i, err := findContainer(containers, name)
		if err != nil {
			return fmt.Errorf("filter before: %w", err)
		}
		p.after = i
	}
	for _, name := range p.Filters["since"] {
		i, err := findContainer(containers, name)
		if err != nil {
			return fmt.Errorf("filter since: %w", err)
		}
		p.until = i
	}
	p.ancestors = map[string]bool{}
	for _, name := range p.Filters["ancestor"] {
		p.images.find(name, func(scope string, image *containersv1alpha1.Image) { p.ancestors[scope+image.Status.ID] = true })
	}
	return nil
}

// findContainer returns the position of the container with a name, an ID or the
// beginning of one.
func findContainer(containers []containersv1alpha1.Container, name string) (int, error) {
	found, err := listing.MatchContainers(containers, name)
	if err != nil {
		return 0, err
	}
	return slices.IndexFunc(containers, func(c containersv1alpha1.Container) bool { return c.UID == found.UID }), nil
}

func (p *containerPick) includes(c *containersv1alpha1.Container) bool {
	f, s := p.Filters, &c.Status
	at := p.position[c]
	switch {
	case at <= p.after || at >= p.until:
		return false
	case !p.All && p.Last <= 0 && len(f["status"]) == 0 && !alive(s):
		return false
	}
	return f.engine(c) && (f.match("name", s.Name) || f.match("name", "/"+s.Name)) && f.match("id", listing.ID(c)) && f.labels(s.Labels) &&
		p.exited(s) && f.match("status", string(s.Status)) && f.exact("health", cmp.Or(s.Health, noHealthcheck)) &&
		p.mounts(s) && p.networks(s) && p.ports(s) && p.descends(c)
}

// alive reports whether Docker lists a container without --all.
func alive(s *containersv1alpha1.ContainerStatus) bool {
	return s.Status == containersv1alpha1.PhaseRunning || s.Status == containersv1alpha1.PhasePaused || s.Status == containersv1alpha1.PhaseRestarting
}

func (p *containerPick) exited(s *containersv1alpha1.ContainerStatus) bool {
	return len(p.Filters["exited"]) == 0 ||
		!alive(s) && s.StartedAt != nil && slices.ContainsFunc(p.Filters["exited"], func(text string) bool {
			code, err := strconv.Atoi(text)
			return err == nil && code == int(s.ExitCode)
		})
}

func (p *containerPick) mounts(s *containersv1alpha1.ContainerStatus) bool {
	return len(p.Filters["volume"]) == 0 || slices.ContainsFunc(s.Mounts, func(m containersv1alpha1.Mount) bool {
		return p.Filters.exact("volume", m.Destination) || p.Filters.exact("volume", mountName(&m))
	})
}

func (p *containerPick) networks(s *containersv1alpha1.ContainerStatus) bool {
	return len(p.Filters["network"]) == 0 || slices.ContainsFunc(s.Networks, func(n containersv1alpha1.NetworkAttachment) bool {
		return p.Filters.exact("network", n.Name)
	})
}

func (p *containerPick) ports(s *containersv1alpha1.ContainerStatus) bool {
	exposed, published := p.Filters["expose"], p.Filters["publish"]
	if len(exposed) == 0 && len(published) == 0 {
		return true
	}
	matches := func(values []string, port uint16, protocol string) bool {
		return slices.ContainsFunc(values, func(value string) bool {
			wanted, err := parsePorts(value)
			return err == nil && wanted.has(port, protocol)
		})
	}
	return slices.ContainsFunc(ports(s), func(port container.PortSummary) bool {
		return matches(exposed, port.PrivatePort, port.Type) || matches(published, port.PublicPort, port.Type)
	})
}

func (p *containerPick) descends(c *containersv1alpha1.Container) bool {
	return len(p.Filters["ancestor"]) == 0 || p.ancestors[scopeOf(c, c.Status.Namespace)+c.Status.Image]
}
