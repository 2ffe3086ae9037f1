// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"bytes"
	"fmt"
	"os"
)

// statStartTime is the position of starttime among the fields of
// /proc/PID/stat that follow the command's name (proc(5): field 22 of all).
const statStartTime = 22 - 3

// processBirth returns something that no other process with the same number
// has: its start, in clock ticks since boot.
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
	return string(fields[statStartTime]), nil
}
