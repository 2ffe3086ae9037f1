// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Positions among the fields of /proc/PID/stat that follow the command's name
// (proc(5): state is field 3 of all, starttime field 22).
const (
	statState     = 0
	statStartTime = 22 - 3
)

// errEnded says that a process has ended, and that its parent has not asked how.
var errEnded = errors.New("the process has ended")

// Birth returns something that no other process with the same number
// has: its start, in clock ticks since boot. A process that has ended is an
// error.
func Birth(pid int) (string, error) {
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

// ticks is how many clock ticks a second has for user space (proc(5), USER_HZ).
const ticks = 100

// Began returns when a process began, to the second.
func Began(pid int) (time.Time, error) {
	birth, err := Birth(pid)
	if err != nil {
		return time.Time{}, err
	}
	since, err := strconv.ParseInt(birth, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(stat)) {
		var boot int64
		if n, _ := fmt.Sscanf(line, "btime %d", &boot); n == 1 {
			return time.Unix(boot+since/ticks, 0), nil
		}
	}
	return time.Time{}, errors.New("/proc/stat has no btime")
}

// Mentions reports whether the text is in the arguments that a process was started with.
func Mentions(pid int, text string) bool {
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(arguments, []byte(text))
}
