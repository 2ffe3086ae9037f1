// SPDX-License-Identifier: Apache-2.0

package instance

import "path/filepath"

// platformDirs follows the XDG Base Directory Specification, which ignores relative
// paths in its variables.
func platformDirs(home, base string, getenv func(string) string) (dir, logDir string) {
	return filepath.Join(xdg(getenv("XDG_DATA_HOME"), home, ".local/share"), base),
		filepath.Join(xdg(getenv("XDG_STATE_HOME"), home, ".local/state"), base)
}

func xdg(dir, home, fallback string) string {
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(home, fallback)
}
