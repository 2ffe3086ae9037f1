// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// firstFile is the first descriptor after the standard ones.
	firstFile = 3
	// mostFiles is how many descriptors are checked if the system does not list them.
	mostFiles = 4096
)

// Start starts a command that may outlive this process. The command does not inherit
// the files that this process inherited: it would hold a lock, or the end of a pipe
// that another program reads to its end, for as long as it runs. This process keeps
// them, and its other children inherit them. The command gets the files of
// cmd.ExtraFiles.
func Start(cmd *exec.Cmd) error {
	defer setInherited(withhold(), 0)
	return cmd.Start()
}

// KeepFiles keeps the children of this process from inheriting the files that this
// process inherited.
func KeepFiles() { _ = withhold() }

// withhold marks all descriptors as close-on-exec, and returns those that were not.
// Descriptors that Go opens always are.
func withhold() []int {
	var marked []int
	for _, fd := range openFiles() {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			marked = append(marked, fd)
		}
	}
	setInherited(marked, unix.FD_CLOEXEC)
	return marked
}

func setInherited(files []int, flags int) {
	for _, fd := range files {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags)
	}
}

// openFiles returns the descriptors of this process except the first three, and may
// include closed ones.
func openFiles() []int {
	var files []int
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		var limit syscall.Rlimit
		if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
			limit.Cur = mostFiles
		}
		for fd := firstFile; fd < int(min(limit.Cur, mostFiles)); fd++ {
			files = append(files, fd)
		}
		return files
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= firstFile {
			files = append(files, fd)
		}
	}
	return files
}
