// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Wait returns nil when the process has ended, and ctx's error if that ends first. The
// kernel reports the end (pidfd_open(2), Linux 5.3); on an older kernel Wait polls
// every second.
func (id ID) Wait(ctx context.Context) error {
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if errors.Is(err, unix.EINVAL) { // the flag exists since Linux 5.10
		fd, err = unix.PidfdOpen(id.PID, 0)
	}
	if err != nil {
		return id.poll(ctx) // ended, or not supported by this kernel
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return id.poll(ctx)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = file.Close() }()
	if !id.Alive() { // another process has the PID
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	raw, err := file.SyscallConn()
	if err != nil {
		return id.poll(ctx)
	}
	// The descriptor is readable, as for poll(2), once the process has ended.
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
