// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// processBirth returns something that no other process with the same number
// has: the wall clock at its start, in microseconds.
func processBirth(pid int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", err
	}
	start := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", start.Sec, start.Usec), nil
}
