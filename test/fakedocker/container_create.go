// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
)

func (s *Server) createContainer(w http.ResponseWriter, r *http.Request, _ string) error {
	var request container.CreateRequest
	if err := readJSON(r, &request); err != nil {
		return err
	}
	given := query(r, "name")
	name := strings.TrimPrefix(given, "/")
	if given != "" && !validName(name) {
		return refuse(http.StatusBadRequest, "Invalid container name (%s), only %s are allowed", given, nameCharacters)
	}
	if request.Config == nil {
		return refuse(http.StatusBadRequest, "Config cannot be empty in order to create a container")
	}
	s.mu.Lock()
	c, err := s.createLocked(name, request)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, container.CreateResponse{ID: c.id, Warnings: []string{}})
}

// createLocked makes a container of a request, which is the container's from now
// on. It does not look at the name's letters.
func (s *Server) createLocked(name string, request container.CreateRequest) (*ctr, error) {
	config, host := request.Config, request.HostConfig
	if host == nil {
		host = &container.HostConfig{}
	}
	host.NetworkMode = cmp.Or(host.NetworkMode, "default")
	if err := checkRestartPolicy(host.RestartPolicy); err != nil {
		return nil, err
	}
	image, imageKey, err := s.imageLocked(config.Image)
	if err != nil {
		return nil, err
	}
	mounts, err := wantedMounts(config, host)
	if err != nil {
		return nil, err
	}
	if other := s.ctrs.byName[name]; other != nil {
		return nil, refuse(http.StatusConflict, nameTaken, "/"+name, other.id)
	}
	s.ctrs.made++
	c := &ctr{
		id:       newHexID(),
		number:   s.ctrs.made,
		created:  s.clock(),
		config:   config,
		host:     host,
		image:    image,
		imageKey: imageKey,
		state:    container.StateCreated,
		ended:    make(chan struct{}),
		gone:     make(chan struct{}),
	}
	c.name = cmp.Or(name, "sim_"+short(c.id))
	c.complete(image)
	c.networks = idleNetworks(c)
	s.mountLocked(c, mounts)
	s.ctrs.byID[c.id], s.ctrs.byName[c.name] = c, c
	s.ctrs.prefixes.add(c.id)
	s.ctrs.inState[c.state]++
	image.users[c.id] = c
	s.tellLocked(c, events.ActionCreate)
	return c, nil
}

// complete adds to a new container's configuration what its image has.
func (c *ctr) complete(image *img) {
	if len(c.config.Cmd) == 0 && len(c.config.Entrypoint) == 0 {
		c.config.Cmd = slices.Clone(image.command)
	}
	words := slices.Concat(c.config.Entrypoint, c.config.Cmd)
	if len(words) > 0 {
		c.path, c.args = words[0], words[1:]
	}
	labels := maps.Clone(image.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, c.config.Labels)
	c.config.Labels = labels
	c.config.Hostname = cmp.Or(c.config.Hostname, short(c.id))
	exposed := maps.Clone(c.config.ExposedPorts)
	for port := range c.host.PortBindings {
		if exposed == nil {
			exposed = map[network.Port]struct{}{}
		}
		exposed[port] = struct{}{}
	}
	c.config.ExposedPorts = exposed
}

// wantedMounts reads the three ways to ask for mounts. A volume without a name
// is an anonymous one.
func wantedMounts(config *container.Config, host *container.HostConfig) ([]container.MountPoint, error) {
	var mounts []container.MountPoint
	for _, bind := range host.Binds {
		parts := strings.SplitN(bind, ":", 3)
		if len(parts) < 2 || !strings.HasPrefix(parts[1], "/") {
			return nil, refuse(http.StatusBadRequest, "invalid volume specification: '%s'", bind)
		}
		point := container.MountPoint{Type: mount.TypeVolume, Name: parts[0], Destination: parts[1], RW: true}
		if strings.HasPrefix(parts[0], "/") {
			point.Type, point.Name, point.Source = mount.TypeBind, "", parts[0]
			point.Propagation = mount.PropagationRPrivate
		} else if !validName(point.Name) {
			return nil, refuse(http.StatusBadRequest, "create %s: %q includes invalid characters for a local volume name, "+
				"only %q are allowed. If you intended to pass a host directory, use absolute path",
				point.Name, point.Name, nameCharacters)
		}
		if len(parts) == 3 {
			point.Mode = parts[2]
			point.RW = !slices.Contains(strings.Split(parts[2], ","), "ro")
		}
		mounts = append(mounts, point)
	}
	for _, m := range host.Mounts {
		point := container.MountPoint{Type: m.Type, Destination: m.Target, RW: !m.ReadOnly}
		switch m.Type {
		case mount.TypeVolume:
			point.Name = m.Source
		case mount.TypeBind:
			point.Source = m.Source
		}
		mounts = append(mounts, point)
	}
	for _, path := range slices.Sorted(maps.Keys(config.Volumes)) {
		taken := slices.ContainsFunc(mounts, func(m container.MountPoint) bool { return m.Destination == path })
		if !taken {
			mounts = append(mounts, container.MountPoint{Type: mount.TypeVolume, Destination: path, RW: true})
		}
	}
	return mounts, nil
}

// mountLocked gives a new container its mounts, and makes the volumes that are
// not there yet.
func (s *Server) mountLocked(c *ctr, mounts []container.MountPoint) {
	c.mounts = make([]container.MountPoint, 0, len(mounts))
	for _, point := range mounts {
		if point.Type == mount.TypeVolume {
			anonymous := point.Name == ""
			v := s.addVolumeLocked(volume.CreateRequest{Name: cmp.Or(point.Name, newHexID())})
			if anonymous {
				c.anonymous = append(c.anonymous, v)
			}
			if !v.users[c.id] {
				v.users[c.id] = true
				c.volumes = append(c.volumes, v)
			}
			point.Name, point.Source, point.Driver = v.Name, v.Mountpoint, v.Driver
		}
		c.mounts = append(c.mounts, point)
	}
}
