// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// summary is a container as it is listed.
type summary struct {
	container.Summary
	Ports []port

	number uint64
}

// details are a container as it is inspected.
type details struct {
	container.InspectResponse
	NetworkSettings networkSettings
}

type networkSettings struct {
	SandboxID, SandboxKey string
	Ports                 map[string][]binding
	Networks              map[string]*network.EndpointSettings
}

func (s *Server) inspectContainer(w http.ResponseWriter, _ *http.Request, reference string) error {
	found, err := s.details(reference)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

func (s *Server) details(reference string) (*details, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.containerLocked(reference)
	names := []string{reference}
	if err == nil {
		names = append(names, c.id, c.name)
	}
	if s.inspectFailsLocked(names...) {
		return nil, refuse(http.StatusInternalServerError, "fakedocker: the inspect of container %s is set to fail", reference)
	}
	if err != nil {
		return nil, err
	}
	d := &details{
		InspectResponse: container.InspectResponse{
			ID:           c.id,
			Created:      apiTime(c.created),
			Path:         c.path,
			Args:         c.args,
			State:        stateOf(c),
			Image:        c.image.id,
			Name:         "/" + c.name,
			RestartCount: c.restartCount,
			Driver:       "overlay2",
			Platform:     "linux",
			HostConfig:   c.host,
			Mounts:       c.mounts,
			Config:       c.config,
		},
		NetworkSettings: networkSettings{Ports: portMap(portsOf(c)), Networks: c.networks},
	}
	if c.running() {
		d.NetworkSettings.SandboxID = c.id
		d.NetworkSettings.SandboxKey = "/var/run/docker/netns/" + short(c.id)
	}
	return d, nil
}

func stateOf(c *ctr) *container.State {
	state := &container.State{
		Status:     c.state,
		Running:    c.running(),
		Paused:     c.state == container.StatePaused,
		Dead:       c.state == container.StateDead,
		Pid:        c.pid,
		ExitCode:   c.exitCode,
		StartedAt:  apiTime(c.startedAt),
		FinishedAt: apiTime(c.finishedAt),
	}
	if c.health != "" {
		state.Health = &container.Health{Status: c.health, Log: []*container.HealthcheckResult{}}
	}
	return state
}

// apiTime writes a time as the API does; the zero time is its year 1.
func apiTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func portsOf(c *ctr) []port {
	if !c.malformed {
		return c.ports
	}
	return append(slices.Clone(c.ports), port{IP: "not-an-address", PrivatePort: 1, PublicPort: 1, Type: "tcp"})
}

func (s *Server) listContainers(w http.ResponseWriter, r *http.Request, _ string) error {
	filter, err := readFilters(r, "id", "name", "label", "status", "health", "ancestor", "volume")
	if err != nil {
		return err
	}
	limit, _ := strconv.Atoi(query(r, "limit"))
	wanted := containerFilter(filter, flag(r, "all") || limit > 0)
	list := []summary{}
	now := s.clock()
	s.mu.Lock()
	for _, c := range s.ctrs.byID {
		if wanted(c) {
			list = append(list, s.summaryLocked(c, now))
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b summary) int { return cmp.Compare(b.number, a.number) })
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	return s.writeList(w, Containers, list)
}

func (s *Server) summaryLocked(c *ctr, now time.Time) summary {
	ports := listedPorts(c)
	if ports == nil {
		ports = []port{}
	}
	item := summary{
		Summary: container.Summary{
			ID:              c.id,
			Names:           []string{"/" + c.name},
			Image:           c.config.Image,
			ImageID:         c.image.id,
			Command:         commandOf(c),
			Created:         c.created.Unix(),
			Labels:          c.config.Labels,
			State:           c.state,
			Status:          statusText(c, now),
			NetworkSettings: &container.NetworkSettingsSummary{Networks: c.networks},
			Mounts:          c.mounts,
		},
		Ports:  ports,
		number: c.number,
	}
	item.HostConfig.NetworkMode = string(c.host.NetworkMode)
	// A reference that leads elsewhere now says nothing of this container.
	if c.imageKey != "" && s.imgs.byKey[c.imageKey] != c.image {
		item.Image = c.image.id
	}
	return item
}

// statusText is what `docker ps` shows as STATUS.
func statusText(c *ctr, now time.Time) string {
	up := "Up " + units.HumanDuration(now.Sub(c.startedAt))
	switch {
	case c.state == container.StateCreated:
		return "Created"
	case c.state == container.StateExited:
		return fmt.Sprintf("Exited (%d) %s ago", c.exitCode, units.HumanDuration(now.Sub(c.finishedAt)))
	case c.state == container.StateDead:
		return "Dead"
	case c.state == container.StateRemoving:
		return "Removal In Progress"
	case c.state == container.StatePaused:
		return up + " (Paused)"
	case c.health == container.Starting:
		return up + " (health: starting)"
	case c.health != "":
		return up + " (" + string(c.health) + ")"
	}
	return up
}

func commandOf(c *ctr) string {
	command := c.path
	for _, arg := range c.args {
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		command += " " + arg
	}
	return command
}

// containerFilter returns what tells whether to list a container.
func containerFilter(f filters, all bool) func(*ctr) bool {
	var names []*regexp.Regexp
	for _, text := range f["name"] {
		if expression, err := regexp.Compile(text); err == nil {
			names = append(names, expression)
		}
	}
	all = all || len(f["status"]) > 0
	return func(c *ctr) bool {
		if !all && !c.running() {
			return false
		}
		health := cmp.Or(c.health, container.NoHealthcheck)
		named := slices.ContainsFunc(names, func(e *regexp.Regexp) bool {
			return e.MatchString(c.name) || e.MatchString("/"+c.name)
		})
		return (named || len(f["name"]) == 0) &&
			f.any("id", func(id string) bool { return strings.HasPrefix(c.id, id) }) &&
			f.exact("status", string(c.state)) &&
			f.exact("health", string(health)) &&
			f.any("ancestor", func(image string) bool { return image == c.config.Image || image == c.image.id }) &&
			f.any("volume", func(name string) bool {
				return slices.ContainsFunc(c.mounts, func(m container.MountPoint) bool {
					return m.Name == name || m.Destination == name
				})
			}) &&
			f.labels(c.config.Labels)
	}
}
