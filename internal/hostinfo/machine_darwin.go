// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"runtime"

	"golang.org/x/sys/unix"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

// architecture detects Rosetta, which runs programs for amd64 on arm64.
func architecture() string {
	if translated, err := unix.SysctlUint32("sysctl.proc_translated"); err == nil && translated == 1 {
		return "arm64"
	}
	return runtime.GOARCH
}

func memory() (int64, error) {
	total, err := unix.SysctlUint64("hw.memsize")
	return bytesOf(total, 1), err
}

// Space returns the user's free space on the file system of the directory, and its
// size, in bytes.
func Space(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return bytesOf(s.Bavail, uint64(s.Bsize)), bytesOf(s.Blocks, uint64(s.Bsize)), nil
}

// virtualization returns whether the Hypervisor framework is available.
func (Places) virtualization() rddv1alpha1.Virtualization {
	supported, err := unix.SysctlUint32("kern.hv_support")
	switch {
	case err != nil:
		return rddv1alpha1.Virtualization{Type: rddv1alpha1.VirtualizationNone, Reason: "sysctl kern.hv_support: " + err.Error()}
	case supported == 0:
		return rddv1alpha1.Virtualization{Type: rddv1alpha1.VirtualizationNone,
			Reason: "macOS reports (sysctl kern.hv_support) that this machine can't run virtual machines; " +
				"if it is a virtual machine itself, enable nested virtualization on its host"}
	}
	return rddv1alpha1.Virtualization{Available: true, Type: rddv1alpha1.VirtualizationHVF}
}
