// SPDX-License-Identifier: Apache-2.0

package instance

import "path/filepath"

func platformDirs(home, base string, getenv func(string) string) (dir, logDir string) {
	local := getenv("LOCALAPPDATA")
	if local == "" {
		local = filepath.Join(home, "AppData", "Local")
	}
	dir = filepath.Join(local, base)
	return dir, filepath.Join(dir, "logs")
}
