// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
)

const (
	// indexLabel is on all containers of AddContainers, with their number.
	indexLabel = "fakedocker.index"

	defaultImage = "fakedocker/app:latest"
	// bulkPort is the first that AddContainers publishes: container number n has
	// the host ports from bulkPort + (n * Ports) on, modulo what there is.
	bulkPort = 10000
)

// ContainerOptions say what containers to make.
type ContainerOptions struct {
	// Image is fakedocker/app:latest if empty. It is made if it isn't there.
	Image string
	// NamePrefix is c- if empty. A number follows that no other container has
	// that was made by this server.
	NamePrefix string
	// Labels are added to fakedocker.index, the number.
	Labels map[string]string
	// Running starts the containers.
	Running bool
	// Ports is how many TCP ports to publish, from 80 on.
	Ports int
	// Volume is mounted at /data, if there is one.
	Volume string
	// Healthcheck makes started containers begin with the health starting.
	Healthcheck bool
	// RestartPolicy is no if empty.
	RestartPolicy container.RestartPolicyMode
}

// AddContainers makes n containers, with all their events, and returns their
// IDs. Unlike the API it takes any name for containers and volumes. It makes none
// if the image is no reference, or there is no such restart policy.
func (s *Server) AddContainers(n int, options ContainerOptions) []string {
	options.Image = cmp.Or(options.Image, defaultImage)
	options.NamePrefix = cmp.Or(options.NamePrefix, "c-")
	s.mu.Lock()
	_, _, err := s.imageLocked(options.Image)
	s.mu.Unlock()
	if err != nil {
		s.AddImage(options.Image)
	}
	var ids []string
	for range n {
		id, err := s.addContainer(options)
		if err != nil {
			break
		}
		ids = append(ids, id)
	}
	return ids
}

// addContainer holds the lock for one container only.
func (s *Server) addContainer(options ContainerOptions) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.ctrs.byName[options.NamePrefix+strconv.FormatUint(s.ctrs.made+1, 10)] != nil {
		s.ctrs.made++
	}
	number := int(s.ctrs.made) + 1
	c, err := s.createLocked(options.NamePrefix+strconv.Itoa(number), options.request(number))
	if err != nil {
		return "", err
	}
	if options.Running {
		s.startLocked(c)
	}
	return c.id, nil
}

func (o ContainerOptions) request(number int) container.CreateRequest {
	labels := map[string]string{}
	maps.Copy(labels, o.Labels)
	labels[indexLabel] = strconv.Itoa(number)
	config := &container.Config{Image: o.Image, Labels: labels}
	host := &container.HostConfig{
		RestartPolicy: container.RestartPolicy{Name: cmp.Or(o.RestartPolicy, container.RestartPolicyDisabled)},
		PortBindings:  network.PortMap{},
	}
	for p := range o.Ports {
		if private, ok := network.PortFrom(uint16(80+p), network.TCP); ok {
			public := bulkPort + (number*o.Ports+p)%(1<<16-bulkPort)
			host.PortBindings[private] = []network.PortBinding{{HostPort: strconv.Itoa(public)}}
		}
	}
	if o.Volume != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: o.Volume, Target: "/data"}}
	}
	if o.Healthcheck {
		config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}}
	}
	return container.CreateRequest{Config: config, HostConfig: host}
}

// Counts are how many objects there are.
type Counts struct {
	Containers, Running, Paused, Stopped int // Stopped are also those never started
	Images, Volumes                      int
}

// Counts returns how many objects there are.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.countsLocked()
}

func (s *Server) countsLocked() Counts {
	in := s.ctrs.inState
	return Counts{
		Containers: len(s.ctrs.byID),
		Running:    in[container.StateRunning],
		Paused:     in[container.StatePaused],
		Stopped:    in[container.StateCreated] + in[container.StateExited],
		Images:     len(s.imgs.byID),
		Volumes:    len(s.vols.byName),
	}
}

// SetHealth gives a running container a health: starting, healthy or unhealthy.
func (s *Server) SetHealth(id string, status container.HealthStatus) error {
	switch status {
	case container.Starting, container.Healthy, container.Unhealthy:
	default:
		return fmt.Errorf("%q is no health", status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.runningLocked(id)
	if err != nil {
		return err
	}
	c.health = status
	s.tellLocked(c, events.ActionHealthStatus+": "+events.Action(status))
	return nil
}

// Exit ends a container's process with an exit code, as if by itself: the
// restart policy starts it again, and --rm removes it.
func (s *Server) Exit(id string, code int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.runningLocked(id)
	if err != nil {
		return err
	}
	s.exitLocked(c, code)
	return nil
}

func (s *Server) runningLocked(id string) (*ctr, error) {
	c, err := s.containerLocked(id)
	if err != nil {
		return nil, err
	}
	if !c.running() {
		return nil, fmt.Errorf("container %s is not running", c.id)
	}
	return c, nil
}
