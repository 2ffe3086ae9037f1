// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"os"
	"path/filepath"
)

func platformDirs(home, base string) (dir, logDir string) {
	local := os.Getenv("LOCALAPPDATA")
	if local == "" {
		local = filepath.Join(home, "AppData", "Local")
	}
	dir = filepath.Join(local, base)
	return dir, filepath.Join(dir, "logs")
}
