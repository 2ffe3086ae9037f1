// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Wait returns nil as soon as the process has ended, and ctx's error where that
// ends first. The kernel tells of the end (pidfd_open(2), Linux 5.3); an older
// one is asked every second.
func (id ID) Wait(ctx context.Context) error {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // before Linux 5.10 there is no such flag
		fd, err = unix.PidfdOpen(id.PID, 0)
	}
	if err != nil {
		return id.poll(ctx) // ended, or not known to this kernel
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return id.poll(ctx)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = file.Close() }()
	if !id.Alive() { // the number is another's
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	raw, err := file.SyscallConn()
	if err != nil {
		return id.poll(ctx)
	}
	// It can be read from, as poll(2) has it, once the process has ended.
	err = raw.Read(func(fd uintptr) bool {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // descriptors are of that size
		return ready > 0 && err == nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return id.poll(ctx)
	}
	return nil
}
