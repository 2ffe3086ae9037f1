// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/access"
)

func architecture() string { return runtime.GOARCH }

func memory() (int64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, err
	}
	return bytesOf(info.Totalram, uint64(info.Unit)), nil
}

// Space returns the user's free space on the file system of the directory, and its
// size, in bytes.
func Space(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	unit := uint64(max(0, s.Frsize))
	return bytesOf(s.Bavail, unit), bytesOf(s.Blocks, unit), nil
}

const noKVM = "/dev/kvm does not exist: the processor has no virtualization, virtualization is turned off in the firmware, " +
	"or the kernel's module kvm is not loaded"

// virtualization returns whether KVM is available: whether its device can be opened.
func (p Places) virtualization() rddv1alpha1.Virtualization {
	device := filepath.Join(p.Root, "dev/kvm")
	file, err := os.Stat(device)
	if errors.Is(err, fs.ErrNotExist) {
		return rddv1alpha1.Virtualization{Type: rddv1alpha1.VirtualizationNone, Reason: noKVM}
	}
	found := rddv1alpha1.Virtualization{Type: rddv1alpha1.VirtualizationKVM}
	if err != nil {
		found.Reason = err.Error()
		return found
	}
	// Not with package os, whose poller would wait for the device.
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		found.Reason = "/dev/kvm can't be opened: " + access.Refusal(file, err)
		return found
	}
	_ = unix.Close(fd)
	found.Available = true
	return found
}
