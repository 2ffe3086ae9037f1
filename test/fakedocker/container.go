// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/network"
)

const (
	codeKilled = 128 + 9
	firstPID   = 1000
	// firstHostPort is the first of those that the kernel gives to who wants any.
	firstHostPort = 32768
)

// containers are guarded by Server.mu.
type containers struct {
	byID, byName map[string]*ctr
	prefixes     prefixIndex
	inState      map[container.ContainerState]int
	made         uint64 // containers ever
	started      int    // processes ever
	freed        []netip.Addr
	lastAddress  netip.Addr
	hostPorts    uint16 // given out ever
}

func newContainers() containers {
	return containers{
		byID:        map[string]*ctr{},
		byName:      map[string]*ctr{},
		prefixes:    prefixIndex{},
		inState:     map[container.ContainerState]int{},
		lastAddress: netip.AddrFrom4([4]byte{172, 17, 0, 1}),
	}
}

// ctr is a container. What its fields point to is replaced, never changed.
type ctr struct {
	id, name string
	number   uint64
	created  time.Time
	config   *container.Config
	host     *container.HostConfig
	image    *img
	imageKey string // of the reference that it was made with; empty for an ID
	path     string
	args     []string
	mounts   []container.MountPoint
	volumes  []*vol
	// anonymous has the volumes that go with the container if wanted.
	anonymous []*vol

	state        container.ContainerState // created, running, paused or exited
	pid          int
	exitCode     int
	startedAt    time.Time
	finishedAt   time.Time
	health       container.HealthStatus // empty without a health check
	restartCount int
	address      netip.Addr
	networks     map[string]*network.EndpointSettings
	ports        []port // while it runs
	malformed    bool
	noAddresses  bool          // in lists
	ended        chan struct{} // closed when the process ends; then it is another
	gone         chan struct{} // closed when the container is removed
}

func (c *ctr) running() bool {
	return c.state == container.StateRunning || c.state == container.StatePaused
}

// containerLocked finds a container by its ID, its name or the beginning of its
// ID.
func (s *Server) containerLocked(reference string) (*ctr, error) {
	if c := s.ctrs.byID[reference]; c != nil {
		return c, nil
	}
	if c := s.ctrs.byName[strings.TrimPrefix(reference, "/")]; c != nil {
		return c, nil
	}
	id, matches := s.ctrs.prefixes.find(reference)
	switch matches {
	case 0:
		return nil, refuse(http.StatusNotFound, "No such container: %s", reference)
	case 1:
		return s.ctrs.byID[id], nil
	}
	return nil, refuse(http.StatusBadRequest, "Multiple IDs found with provided prefix: %s", reference)
}

// tellLocked emits an event of a container.
func (s *Server) tellLocked(c *ctr, action events.Action, extra ...string) {
	attributes := make(map[string]string, len(c.config.Labels)+3)
	maps.Copy(attributes, c.config.Labels)
	attributes["image"], attributes["name"] = c.config.Image, c.name
	for i := 0; i+1 < len(extra); i += 2 {
		attributes[extra[i]] = extra[i+1]
	}
	s.emitLocked(events.ContainerEventType, action, c.id, attributes)
}

// tellNetworkLocked emits an event of the container's network, if it has one.
func (s *Server) tellNetworkLocked(c *ctr, action events.Action) {
	name, driver := networkOf(c)
	if name == "" {
		return
	}
	s.emitLocked(events.NetworkEventType, action, NetworkID(name),
		map[string]string{"container": c.id, "name": name, "type": driver})
}

// enterLocked gives a container a state.
func (s *Server) enterLocked(c *ctr, state container.ContainerState) {
	if c.running() {
		c.image.running--
	}
	s.ctrs.inState[c.state]--
	c.state = state
	s.ctrs.inState[state]++
	if c.running() {
		c.image.running++
	}
}

func (s *Server) startLocked(c *ctr) {
	s.connectLocked(c)
	s.tellNetworkLocked(c, events.ActionConnect)
	for _, mount := range c.mounts {
		if mount.Name != "" {
			s.emitLocked(events.VolumeEventType, events.ActionMount, mount.Name, map[string]string{
				"container": c.id, "destination": mount.Destination, "driver": mount.Driver,
				"propagation": string(mount.Propagation), "read/write": strconv.FormatBool(mount.RW),
			})
		}
	}
	s.enterLocked(c, container.StateRunning)
	s.ctrs.started++
	c.pid = firstPID + s.ctrs.started
	c.exitCode = 0
	c.startedAt = s.clock()
	if hasHealthcheck(c.config) {
		c.health = container.Starting
	}
	s.tellLocked(c, events.ActionStart)
}

func hasHealthcheck(config *container.Config) bool {
	check := config.Healthcheck
	return check != nil && len(check.Test) > 0 && check.Test[0] != "NONE"
}

// dieLocked ends a container's process.
func (s *Server) dieLocked(c *ctr, code int) {
	s.enterLocked(c, container.StateExited)
	c.pid = 0
	c.exitCode = code
	c.finishedAt = s.clock()
	if c.health != "" {
		c.health = container.Unhealthy // as dockerd does without a check
	}
	close(c.ended)
	c.ended = make(chan struct{})
	s.disconnectLocked(c)
	s.tellLocked(c, events.ActionDie, "exitCode", strconv.Itoa(code))
	s.tellNetworkLocked(c, events.ActionDisconnect)
	for _, v := range c.volumes {
		s.emitLocked(events.VolumeEventType, events.ActionUnmount, v.Name,
			map[string]string{"container": c.id, "driver": v.Driver})
	}
}

// signalLocked sends a signal to a container that runs, and reports whether it
// ended it.
func (s *Server) signalLocked(c *ctr, signal int) bool {
	s.tellLocked(c, events.ActionKill, "signal", strconv.Itoa(signal))
	if !deadly(signal) {
		return false
	}
	if signal != 9 {
		s.unpauseLocked(c)
	}
	s.dieLocked(c, 128+signal)
	return true
}

func (s *Server) unpauseLocked(c *ctr) {
	if c.state == container.StatePaused {
		s.enterLocked(c, container.StateRunning)
		s.tellLocked(c, events.ActionUnPause)
	}
}

// haltLocked stops a container that runs. With no time for it to end by itself,
// it is killed as well.
func (s *Server) haltLocked(c *ctr, signal int, atOnce bool) {
	if atOnce {
		s.tellLocked(c, events.ActionKill, "signal", strconv.Itoa(signal))
		s.tellLocked(c, events.ActionKill, "signal", "9")
		s.unpauseLocked(c)
		s.dieLocked(c, codeKilled)
	} else if !s.signalLocked(c, signal) {
		s.signalLocked(c, 9)
	}
	s.tellLocked(c, events.ActionStop)
}

// reapLocked removes a container that has ended, if it is of that kind.
func (s *Server) reapLocked(c *ctr) {
	if c.host.AutoRemove {
		s.destroyLocked(c, true)
	}
}

// destroyLocked removes a container that doesn't run.
func (s *Server) destroyLocked(c *ctr, withVolumes bool) {
	for _, v := range c.volumes {
		delete(v.users, c.id)
	}
	if withVolumes {
		for _, v := range c.anonymous {
			if len(v.users) == 0 {
				s.removeVolumeLocked(v)
			}
		}
	}
	s.ctrs.inState[c.state]--
	delete(s.ctrs.byID, c.id)
	delete(s.ctrs.byName, c.name)
	s.ctrs.prefixes.remove(c.id)
	delete(c.image.users, c.id)
	close(c.gone)
	s.tellLocked(c, events.ActionDestroy)
}

// exitLocked is what happens when a process ends by itself.
func (s *Server) exitLocked(c *ctr, code int) {
	s.unpauseLocked(c)
	s.dieLocked(c, code)
	policy := c.host.RestartPolicy
	again := policy.IsAlways() || policy.IsUnlessStopped() ||
		(policy.IsOnFailure() && code != 0 && (policy.MaximumRetryCount == 0 || c.restartCount < policy.MaximumRetryCount))
	if again {
		c.restartCount++
		s.startLocked(c)
		return
	}
	s.reapLocked(c)
}

// deadly reports whether a signal ends the simulated processes.
func deadly(signal int) bool {
	switch signal {
	case 1, 2, 3, 6, 9, 15: // HUP, INT, QUIT, ABRT, KILL, TERM
		return true
	}
	return false
}

// readSignal reads a signal's number or name, with or without SIG.
func readSignal(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	if number, err := strconv.Atoi(text); err == nil && number > 0 && number < 65 {
		return number, nil
	}
	names := map[string]int{
		"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "USR1": 10, "USR2": 12,
		"TERM": 15, "CONT": 18, "STOP": 19, "TSTP": 20, "WINCH": 28,
	}
	if number, ok := names[strings.TrimPrefix(strings.ToUpper(text), "SIG")]; ok {
		return number, nil
	}
	return 0, refuse(http.StatusBadRequest, "Invalid signal: %s", text)
}
