// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// zombie is the state of a process that has ended, and whose parent has not
// asked how (SZOMB of sys/proc.h).
const zombie = 5

// processBirth returns something that no other process with the same number
// has: the wall clock at its start, in microseconds. A process that has ended is
// an error.
func processBirth(pid int) (string, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", err
	}
	if info.Proc.P_stat == zombie {
		return "", errors.New("the process has ended")
	}
	start := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", start.Sec, start.Usec), nil
}
