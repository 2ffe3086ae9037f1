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

// Indexes of the fields of /proc/PID/stat after the command's name (proc(5): state is
// field 3, starttime field 22).
const (
	statState     = 0
	statStartTime = 22 - 3
)

// errEnded is the error for a process that has ended, and whose parent has not waited
// for it.
var errEnded = errors.New("the process has ended")

// Birth returns a value that no other process with the same PID has: its start, in
// clock ticks since boot. The error for an ended process is not nil.
func Birth(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The command's name may contain spaces and parentheses.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= statStartTime {
		return "", fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	if state := fields[statState][0]; state == 'Z' || state == 'X' {
		return "", errEnded
	}
	return string(fields[statStartTime]), nil
}

// ticks is the number of clock ticks per second in user space (proc(5), USER_HZ).
const ticks = 100

// Began returns the start time of a process, to the second.
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

// Mentions reports whether a process's arguments contain the text.
func Mentions(pid int, text string) bool {
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(arguments, []byte(text))
}
