// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/windows"
)

// Birth returns something that no other process with the same number
// has: the wall clock at its creation, in nanoseconds. A process that has ended
// is an error.
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

// Began returns when a process began.
func Began(pid int) (time.Time, error) {
	birth, err := Birth(pid)
	if err != nil {
		return time.Time{}, err
	}
	nanoseconds, err := strconv.ParseInt(birth, 10, 64)
	return time.Unix(0, nanoseconds), err
}
