// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// zombie is the state of a process that has ended, and whose parent has not waited for
// it (SZOMB of sys/proc.h).
const zombie = 5

// Birth returns a value that no other process with the same PID has: the wall clock at
// its start, in microseconds. The error for an ended process is not nil.
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

// Began returns the start time of a process.
func Began(pid int) (time.Time, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(info.Proc.P_starttime.Unix()), nil
}
