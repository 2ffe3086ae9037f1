// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"os"
	"path/filepath"
)

// platformDirs follows the XDG Base Directory Specification: a relative path
// in its variables is to be ignored.
func platformDirs(home, base string) (dir, logDir string) {
	return filepath.Join(xdg("XDG_DATA_HOME", home, ".local/share"), base),
		filepath.Join(xdg("XDG_STATE_HOME", home, ".local/state"), base)
}

func xdg(variable, home, fallback string) string {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(home, fallback)
}
