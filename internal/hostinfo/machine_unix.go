// SPDX-License-Identifier: Apache-2.0

//go:build unix

package hostinfo

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	containersv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/containers/v1alpha1"
	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/endpoint"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/engine/traits"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
)

func root() string { return "/" }

// candidates returns the usual sockets of engines, first the one in DOCKER_HOST.
func (p Places) candidates() []candidate {
	var all []candidate
	add := func(kind containersv1alpha1.EngineType, path string) {
		if filepath.IsAbs(path) {
			all = append(all, candidate{kind: rddv1alpha1.EngineType(kind), url: endpoint.ForSocket(path), name: path})
		}
	}
	bases := map[engine.Base]string{engine.Root: p.Root, engine.Home: p.Home, engine.RuntimeDir: p.RuntimeDir}
	for _, known := range traits.All() {
		if known.IsDockerAPI {
			add(known.Type, filepath.Clean(endpoint.SocketPath(p.DockerHost)))
		}
		for _, place := range known.Places {
			add(known.Type, filepath.Join(bases[place.Base], filepath.FromSlash(place.Path)))
		}
	}
	return all
}

// engines returns the existing sockets, each with its first name.
func (p Places) engines() []rddv1alpha1.Engine {
	var found []rddv1alpha1.Engine
	var files []fs.FileInfo
	for _, e := range p.candidates() {
		file, err := os.Stat(e.name)
		listed := func(other fs.FileInfo) bool { return os.SameFile(file, other) }
		if err != nil || file.Mode()&fs.ModeSocket == 0 || slices.ContainsFunc(files, listed) {
			continue
		}
		files = append(files, file)
		there := rddv1alpha1.Engine{Type: e.kind, Endpoint: e.url, Accessible: true}
		// A connection requires write permission (unix(7)).
		if err := unix.Faccessat(unix.AT_FDCWD, e.name, unix.W_OK, unix.AT_EACCESS); err != nil {
			there.Accessible, there.Message = false, access.Refusal(file, err)
		}
		found = append(found, there)
	}
	return found
}

// ReadOnly reports whether the file system of a directory is read-only.
func ReadOnly(dir string) bool { return unix.Access(dir, unix.W_OK) == unix.EROFS }
