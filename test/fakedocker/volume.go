// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/volume"
)

// volumes are guarded by Server.mu.
type volumes struct{ byName map[string]*vol }

type vol struct {
	volume.Volume                 // never changed
	users         map[string]bool // IDs of containers
}

// addVolumeLocked returns the volume, which it makes if there is none.
func (s *Server) addVolumeLocked(request volume.CreateRequest) *vol {
	if v := s.vols.byName[request.Name]; v != nil {
		return v
	}
	v := &vol{
		Volume: volume.Volume{
			Name:       request.Name,
			Driver:     "local",
			Mountpoint: "/var/lib/docker/volumes/" + request.Name + "/_data",
			Scope:      "local",
			CreatedAt:  s.clock().UTC().Format(time.RFC3339),
			Labels:     request.Labels,
			Options:    request.DriverOpts,
		},
		users: map[string]bool{},
	}
	s.vols.byName[v.Name] = v
	s.emitLocked(events.VolumeEventType, events.ActionCreate, v.Name, map[string]string{"driver": v.Driver})
	return v
}

func (s *Server) removeVolumeLocked(v *vol) {
	delete(s.vols.byName, v.Name)
	s.emitLocked(events.VolumeEventType, events.ActionDestroy, v.Name, map[string]string{"driver": v.Driver})
}

// AddVolume makes a volume, if there is none of the name.
func (s *Server) AddVolume(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addVolumeLocked(volume.CreateRequest{Name: name})
}

func (s *Server) listVolumes(w http.ResponseWriter, r *http.Request, _ string) error {
	filter, err := readFilters(r, "name", "label", "dangling", "driver")
	if err != nil {
		return err
	}
	list := volume.ListResponse{Volumes: []volume.Volume{}}
	s.mu.Lock()
	for _, v := range s.vols.byName {
		if filter.any("name", func(value string) bool { return strings.Contains(v.Name, value) }) &&
			filter.any("dangling", func(value string) bool { return isTrue(value) == (len(v.users) == 0) }) &&
			filter.exact("driver", v.Driver) && filter.labels(v.Labels) {
			list.Volumes = append(list.Volumes, v.Volume)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list.Volumes, func(a, b volume.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return s.writeList(w, Volumes, list)
}

func (s *Server) inspectVolume(w http.ResponseWriter, _ *http.Request, name string) error {
	s.mu.Lock()
	v := s.vols.byName[name]
	fails := s.inspectFailsLocked(name)
	s.mu.Unlock()
	if fails {
		return refuse(http.StatusInternalServerError, "fakedocker: the inspect of volume %s is set to fail", name)
	}
	if v == nil {
		return refuse(http.StatusNotFound, "get %s: no such volume", name)
	}
	return writeJSON(w, http.StatusOK, v.Volume)
}

func (s *Server) createVolume(w http.ResponseWriter, r *http.Request, _ string) error {
	var request volume.CreateRequest
	if err := readJSON(r, &request); err != nil {
		return err
	}
	if driver := cmp.Or(request.Driver, "local"); driver != "local" {
		return refuse(http.StatusNotFound, "create %s: error looking up volume plugin %s: plugin %q not found",
			request.Name, driver, driver)
	}
	if request.Name == "" {
		request.Name = newHexID()
	}
	if !validName(request.Name) {
		return refuse(http.StatusBadRequest, "create %s: %q includes invalid characters for a local volume name, only %q are allowed. "+
			"If you intended to pass a host directory, use absolute path", request.Name, request.Name, nameCharacters)
	}
	s.mu.Lock()
	v := s.addVolumeLocked(request)
	s.mu.Unlock()
	return writeJSON(w, http.StatusCreated, v.Volume)
}

func (s *Server) removeVolume(w http.ResponseWriter, r *http.Request, name string) error {
	if err := s.removalGate(r.Context(), name, r.URL.RawQuery); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.vols.byName[name]
	switch {
	case v == nil && flag(r, "force"):
	case v == nil:
		return refuse(http.StatusNotFound, "get %s: no such volume", name)
	case len(v.users) > 0:
		users := slices.Sorted(maps.Keys(v.users))
		return refuse(http.StatusConflict, "remove %s: volume is in use - [%s]", name, strings.Join(users, ", "))
	default:
		s.removeVolumeLocked(v)
	}
	return noContent(w)
}

// nameCharacters is how dockerd describes them.
const nameCharacters = "[a-zA-Z0-9][a-zA-Z0-9_.-]"

// validName reports whether a container or a volume may have the name.
func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("_.-", rune(c))) {
			return false
		}
	}
	return len(name) > 1
}
