// SPDX-License-Identifier: Apache-2.0

package template

import (
	"errors"
	"fmt"
	"strconv"
)

// host has the differences between the systems that Lima runs guests on.
type host struct {
	os        string // as in runtime.GOOS
	vmType    string
	mountType string
	sized     bool // whether a guest has processors and memory of its own
	rootTar   bool // whether images are archives of a root file system, and not disks
}

const reverseSSHFS = "reverse-sshfs"

func hostOf(os string) (host, error) {
	switch os {
	case "linux":
		// Debian's cloud kernel has no 9p, and virtiofs would need virtiofsd on the
		// host.
		return host{os: os, vmType: "qemu", mountType: reverseSSHFS, sized: true}, nil
	case "darwin":
		return host{os: os, vmType: "vz", mountType: "virtiofs", sized: true}, nil
	case "windows":
		// WSL 2 sizes all its guests together, in the user's .wslconfig.
		return host{os: os, vmType: "wsl2", mountType: "wsl2", rootTar: true}, nil
	}
	return host{}, fmt.Errorf("virtual machines are not supported on %s", os)
}

// sshfsMounts is how many directories are mounted over ssh, after the guest has booted.
// Other types are mounted before anything starts.
func (h host) sshfsMounts(mounts []Mount) string {
	if h.mountType != reverseSSHFS {
		return "0"
	}
	return strconv.Itoa(len(mounts))
}

// images returns the requested image, or the built-in ones.
func (h host) images(wanted string) ([]image, error) {
	if wanted != "" {
		i, err := parseImage(wanted, h.os)
		return []image{i}, err
	}
	if h.rootTar {
		return nil, errors.New("WSL 2 has no built-in image: " +
			"name an archive (.tar, .tar.gz, .tar.xz) of a root file system with Docker in virtualMachine.image or " + ImageEnv)
	}
	return builtinImages(), nil
}
