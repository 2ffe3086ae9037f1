// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os/exec"
	"strconv"
	"strings"
)

// Memory returns the resident size of a process in bytes, 0 if it is unknown. ps prints
// it in KiB.
func Memory(pid int) int64 {
	output, err := exec.Command("/bin/ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(output)), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
