// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const kvmDevice = "/dev/kvm"

// machine returns Lima's name of this machine's architecture.
func machine() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

// Preflight returns why an instance can't be started: Lima uses KVM if its device
// exists, even if it can't be opened, and then fails with an obscure message. The error
// is of the kind [NoKVM].
func (c *Client) Preflight(instance Instance) error {
	forced := strings.Contains(os.Getenv("QEMU_SYSTEM_X86_64")+os.Getenv("QEMU_SYSTEM_AARCH64"), "accel tcg")
	if instance.VMType != "qemu" || instance.Arch != machine() || forced {
		return nil
	}
	// Not with package os, whose poller would wait for the device.
	fd, err := unix.Open(kvmDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the guest is emulated
	}
	if err != nil {
		return &Error{Kind: NoKVM, Message: kvmDevice + " can't be opened: " + err.Error()}
	}
	return unix.Close(fd)
}
