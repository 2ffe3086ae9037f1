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
	// firstFile is the first descriptor that has no meaning of its own.
	firstFile = 3
	// mostFiles is how many descriptors are looked at where the system does not list
	// them.
	mostFiles = 4096
)

// Start starts a command that may outlive this process. The command gets none of the
// files that whoever started this process left open: a lock, or the end of a pipe
// that another program reads to its end, would be held for as long as the command
// runs. This process keeps them, and what it starts otherwise gets them. The files
// of cmd.ExtraFiles are passed on.
func Start(cmd *exec.Cmd) error {
	defer setInherited(withhold(), 0)
	return cmd.Start()
}

// KeepFiles makes this process the last one to have the files that whoever started
// it left open.
func KeepFiles() { _ = withhold() }

// withhold marks all descriptors as not to be inherited, and returns those that were
// not marked before. What Go opens always is.
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

// openFiles returns the descriptors of this process but the first three, and maybe
// some that are closed.
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
