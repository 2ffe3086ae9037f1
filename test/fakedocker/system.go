// SPDX-License-Identifier: Apache-2.0

package fakedocker

import (
	"cmp"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
)

const (
	kernelVersion = "6.1.0-fakedocker"
	cpus          = 2
	memory        = 4 << 30 // bytes
)

func (s *Server) ping(w http.ResponseWriter, r *http.Request, _ string) error {
	header := w.Header()
	header.Set("Cache-Control", "no-cache, no-store, must-revalidate")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method == http.MethodHead {
		header.Set("Content-Length", "0")
		return nil
	}
	_, _ = io.WriteString(w, "OK")
	return nil
}

func (s *Server) getVersion(w http.ResponseWriter, _ *http.Request, _ string) error {
	minAPI := "1." + strconv.Itoa(minAPIMinor)
	return writeJSON(w, http.StatusOK, system.VersionResponse{
		Components: []system.ComponentVersion{{
			Name:    "Engine",
			Version: s.version,
			Details: map[string]string{
				"ApiVersion":    s.apiVersion,
				"Arch":          "amd64",
				"Experimental":  "false",
				"KernelVersion": kernelVersion,
				"MinAPIVersion": minAPI,
				"Os":            "linux",
			},
		}},
		Version:       s.version,
		APIVersion:    s.apiVersion,
		MinAPIVersion: minAPI,
		Os:            "linux",
		Arch:          "amd64",
		KernelVersion: kernelVersion,
	})
}

func (s *Server) getInfo(w http.ResponseWriter, _ *http.Request, _ string) error {
	s.mu.Lock()
	counts, id, listeners := s.countsLocked(), s.id, len(s.bus.subscribers)
	place := s.place
	s.mu.Unlock()
	return writeJSON(w, http.StatusOK, system.Info{
		ID:                 id,
		Containers:         counts.Containers,
		ContainersRunning:  counts.Running,
		ContainersPaused:   counts.Paused,
		ContainersStopped:  counts.Stopped,
		Images:             counts.Images,
		Driver:             "overlay2",
		Plugins:            system.PluginsInfo{Volume: []string{"local"}, Network: []string{"bridge", "host", "null"}, Log: []string{"json-file"}},
		MemoryLimit:        true,
		SwapLimit:          true,
		CPUCfsPeriod:       true,
		CPUCfsQuota:        true,
		CPUShares:          true,
		CPUSet:             true,
		PidsLimit:          true,
		IPv4Forwarding:     true,
		SystemTime:         s.clock().Format(time.RFC3339Nano),
		LoggingDriver:      "json-file",
		CgroupDriver:       "cgroupfs",
		CgroupVersion:      "2",
		NEventsListener:    listeners,
		KernelVersion:      kernelVersion,
		OperatingSystem:    "fakedocker",
		OSType:             "linux",
		Architecture:       "x86_64",
		IndexServerAddress: "https://index.docker.io/v1/",
		NCPU:               cpus,
		MemTotal:           memory,
		DockerRootDir:      cmp.Or(place.rootDir, "/var/lib/docker"),
		Name:               cmp.Or(place.hostName, "fakedocker"),
		ServerVersion:      s.version,
		Runtimes:           map[string]system.RuntimeWithStatus{"runc": {Runtime: system.Runtime{Path: "runc"}}},
		DefaultRuntime:     "runc",
		Swarm:              swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive},
		InitBinary:         "docker-init",
		SecurityOptions:    []string{"name=seccomp,profile=default"},
	})
}
