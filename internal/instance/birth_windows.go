// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"errors"
	"strconv"

	"golang.org/x/sys/windows"
)

// processBirth returns something that no other process with the same number
// has: the wall clock at its creation, in nanoseconds. A process that has ended
// is an error.
func processBirth(pid int) (string, error) {
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
