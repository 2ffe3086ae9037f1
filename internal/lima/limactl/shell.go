// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// HomeEnv names the directory with Lima's instances.
const HomeEnv = "LIMA_HOME"

// Mount is a directory of the host that a guest sees.
type Mount struct {
	// Location is its path on the host.
	Location string `json:"location"`
	// MountPoint is its path in the guest.
	MountPoint string `json:"mountPoint"`
}

// ShellArgs returns the command line with which limactl runs a command in an
// instance, or a login shell where there is none. It begins in a directory of the
// guest; where workdir is empty, limactl tries that of the host.
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

// GuestDir returns the directory of the guest that a directory of the host is, and
// the home directory where it is in none of the mounts. limactl itself would try
// the same path, and have the guest's shell complain.
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

// below returns the path of a directory within another, with slashes, wherever
// symbolic links lead.
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

// Names returns the names of the instances in LIMA_HOME, in order.
func (c *Client) Names() []string {
	entries, err := os.ReadDir(c.Home)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		// Those with an underscore or a dot are Lima's own.
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), "_") && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}
