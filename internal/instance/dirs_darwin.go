// SPDX-License-Identifier: Apache-2.0

package instance

import "path/filepath"

func platformDirs(home, base string, _ func(string) string) (dir, logDir string) {
	library := filepath.Join(home, "Library")
	return filepath.Join(library, "Application Support", base), filepath.Join(library, "Logs", base)
}
