// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// zombie is the state of a process that has ended, and whose parent has not
// asked how (SZOMB of sys/proc.h).
const zombie = 5

// Birth returns something that no other process with the same number
// has: the wall clock at its start, in microseconds. A process that has ended is
// an error.
func Birth(pid int) (string, error) {
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

// Began returns when a process began.
func Began(pid int) (time.Time, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(info.Proc.P_starttime.Unix()), nil
}
