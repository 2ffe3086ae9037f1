// SPDX-License-Identifier: Apache-2.0

//go:build unix

package hostinfo

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
)

func root() string { return "/" }

// endpoints returns the usual sockets of engines.
func (p Places) endpoints() []endpoint {
	var all []endpoint
	add := func(kind rddv1alpha1.EngineType, dir string, names ...string) {
		for _, name := range names {
			if path := filepath.Join(dir, name); filepath.IsAbs(dir) {
				all = append(all, endpoint{kind: kind, url: "unix://" + path, name: path})
			}
		}
	}
	if path, ok := strings.CutPrefix(p.DockerHost, "unix://"); ok && path != "" {
		add(rddv1alpha1.EngineMoby, filepath.Dir(path), filepath.Base(path))
	}
	add(rddv1alpha1.EngineMoby, p.Root, "var/run/docker.sock")
	add(rddv1alpha1.EngineMoby, p.RuntimeDir, "docker.sock")
	add(rddv1alpha1.EngineMoby, p.Home, ".docker/run/docker.sock", ".docker/desktop/docker.sock")
	add(rddv1alpha1.EngineMoby, p.RuntimeDir, "podman/podman.sock")
	add(rddv1alpha1.EngineMoby, p.Root, "run/podman/podman.sock")
	add(rddv1alpha1.EngineContainerd, p.Root, "run/containerd/containerd.sock")
	add(rddv1alpha1.EngineContainerd, p.RuntimeDir, "containerd/containerd.sock")
	return all
}

// engines returns the existing sockets, each with its first name.
func (p Places) engines() []rddv1alpha1.Engine {
	var found []rddv1alpha1.Engine
	var files []fs.FileInfo
	for _, e := range p.endpoints() {
		file, err := os.Stat(e.name)
		listed := func(other fs.FileInfo) bool { return os.SameFile(file, other) }
		if err != nil || file.Mode()&fs.ModeSocket == 0 || slices.ContainsFunc(files, listed) {
			continue
		}
		files = append(files, file)
		engine := rddv1alpha1.Engine{Type: e.kind, Endpoint: e.url, Accessible: true}
		// A connection requires write permission (unix(7)).
		if err := unix.Faccessat(unix.AT_FDCWD, e.name, unix.W_OK, unix.AT_EACCESS); err != nil {
			engine.Accessible, engine.Message = false, access.Refusal(file, err)
		}
		found = append(found, engine)
	}
	return found
}

// ReadOnly reports whether the file system of a directory is read-only.
func ReadOnly(dir string) bool { return unix.Access(dir, unix.W_OK) == unix.EROFS }
