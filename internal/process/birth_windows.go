// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
)

// Birth returns a value that no other process with the same PID has: the wall clock at
// its creation, in nanoseconds. The error for an ended process is not nil.
func Birth(pid int) (string, error) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", err
	}
	defer func() { _ = windows.CloseHandle(process) }()
	var creation, exit, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &creation, &exit, &kernel, &user); err != nil {
		return "", err
	}
	if exit != (windows.Filetime{}) {
		return "", errors.New("the process has ended")
	}
	return strconv.FormatInt(creation.Nanoseconds(), 10), nil
}

// Began returns the start time of a process.
func Began(pid int) (time.Time, error) {
	birth, err := Birth(pid)
	if err != nil {
		return time.Time{}, err
	}
	nanoseconds, err := strconv.ParseInt(birth, 10, 64)
	return time.Unix(0, nanoseconds), err
}
