// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// HomeEnv is the environment variable with the directory of Lima's instances.
const HomeEnv = "LIMA_HOME"

// Mount is a directory of the host that is mounted in a guest.
type Mount struct {
	// Location is the path on the host.
	Location string `json:"location"`
	// MountPoint is the path in the guest.
	MountPoint string `json:"mountPoint"`
}

// ShellArgs returns the command line with which limactl runs a command in an instance,
// or a login shell if command is empty. It starts in workdir, a directory of the guest;
// if that is empty, limactl tries the host's working directory.
func (c *Client) ShellArgs(name, workdir string, command []string) []string {
	args := []string{c.Path, "shell"}
	if workdir != "" {
		args = append(args, "--workdir", workdir)
	}
	args = append(args, name)
	if len(command) > 0 {
		args = append(append(args, "--"), command...) // limactl drops the first --
	}
	return args
}

// GuestDir returns the path in the guest of a directory of the host, or the guest's
// home directory if no mount has it. limactl itself would try the same path, and the
// guest's shell would print an error.
func (i Instance) GuestDir(dir string) string {
	found, longest := i.Config.User.Home, -1
	for _, mount := range i.Config.Mounts {
		rest, ok := below(mount.Location, dir)
		if !ok || len(mount.Location) <= longest {
			continue
		}
		longest = len(mount.Location)
		point := mount.MountPoint
		if point == "" {
			point = mount.Location
		}
		found = path.Join(point, rest)
	}
	return found
}

// below returns the relative path of a directory within another, with slashes, after
// resolving symbolic links.
func below(parent, dir string) (rest string, ok bool) {
	if parent == "" || dir == "" {
		return "", false
	}
	for _, pair := range [][2]string{{parent, dir}, {resolved(parent), resolved(dir)}} {
		rest, err := filepath.Rel(pair[0], pair[1])
		if err == nil && filepath.IsLocal(rest) {
			return filepath.ToSlash(rest), true
		}
	}
	return "", false
}

func resolved(dir string) string {
	if path, err := filepath.EvalSymlinks(dir); err == nil {
		return path
	}
	return dir
}

// Names returns the sorted names of the instances in LIMA_HOME.
func (c *Client) Names() []string {
	entries, err := os.ReadDir(c.Home)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		// Names with an underscore or a dot are Lima's own.
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), "_") && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}
