// SPDX-License-Identifier: Apache-2.0

package dockerd

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// containersConf is what the command line can't say: podman's limits for
// containers may be above those of the tests, which even root can't raise in
// some sandboxes.
const containersConf = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[network]
network_backend = "netavark"
`

// registriesConf has the engine speak plain HTTP with registries on loopback, as
// Docker does by itself.
const registriesConf = `[[registry]]
location = "127.0.0.1"
insecure = true
`

// podmanCommand returns the command line of podman's service. Its runtime is
// the one that dockerd has too.
func (e *Engine) podmanCommand() (*exec.Cmd, error) {
	config := filepath.Join(e.dir, "containers.conf")
	if err := os.WriteFile(config, []byte(containersConf), 0o600); err != nil {
		return nil, err
	}
	registries := filepath.Join(e.dir, "registries.conf")
	if err := os.WriteFile(registries, []byte(registriesConf), 0o600); err != nil {
		return nil, err
	}
	temporary := filepath.Join(e.dir, "tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		return nil, err
	}
	_ = os.Remove(e.socket) // a killed one's
	cmd := e.room.command("podman",
		"--root", filepath.Join(e.dir, "root"), "--runroot", filepath.Join(e.dir, "run"), "--tmpdir", temporary,
		"--network-config-dir", filepath.Join(e.dir, "networks"), "--storage-driver", "vfs", "--runtime", "runc",
		"--cgroup-manager", "cgroupfs", "--events-backend", "file", "system", "service", "--time", "0", e.Endpoint())
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+config, "CONTAINERS_REGISTRIES_CONF="+registries)
	return cmd, nil
}

// removeControlGroups removes the control groups that podman leaves behind,
// unless another podman has containers in them.
func removeControlGroups() {
	for _, pattern := range []string{"/sys/fs/cgroup/libpod_parent", "/sys/fs/cgroup/*/libpod_parent"} {
		parents, _ := filepath.Glob(pattern)
		for _, parent := range parents {
			var groups []string
			_ = filepath.WalkDir(parent, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					groups = append(groups, path)
				}
				return nil
			})
			for _, group := range slices.Backward(groups) {
				_ = os.Remove(group)
			}
		}
	}
}
