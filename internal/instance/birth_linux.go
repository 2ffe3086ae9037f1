// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Positions among the fields of /proc/PID/stat that follow the command's name
// (proc(5): state is field 3 of all, starttime field 22).
const (
	statState     = 0
	statStartTime = 22 - 3
)

// errEnded says that a process has ended, and that its parent has not asked how.
var errEnded = errors.New("the process has ended")

// processBirth returns something that no other process with the same number
// has: its start, in clock ticks since boot. A process that has ended is an
// error.
func processBirth(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The command's name may hold spaces and parentheses itself.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= statStartTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	if state := fields[statState][0]; state == 'Z' || state == 'X' {
		return "", errEnded
	}
	return string(fields[statStartTime]), nil
}
