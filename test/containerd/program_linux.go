// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/realengine"
)

// Program is which containerd to run.
type Program int

// The programs.
const (
	// Debian is that of Debian's containerd, which is years old.
	Debian Program = iota
	// Newest is the newest containerd that the Go module registry has: see
	// test/newestdocker.
	Newest
)

// String names the program in messages.
func (p Program) String() string {
	return [...]string{"Debian's containerd", "the newest containerd"}[p]
}

// installed returns what to do about a program that is not there.
func (p Program) installed() error {
	programs, advice := []string{"containerd", "containerd-shim-runc-v2", "runc"}, "apt-get install containerd runc busybox-static"
	if p == Newest {
		dir, err := realengine.BuiltDir()
		if err != nil {
			return err
		}
		programs = []string{filepath.Join(dir, "containerd", "containerd"), filepath.Join(dir, "containerd", "containerd-shim-runc-v2"), filepath.Join(dir, "runc")}
		advice = "make engines; apt-get install busybox-static"
	}
	return realengine.Installed(advice, programs...)
}

func (p Program) command(args ...string) (*exec.Cmd, error) {
	if p == Debian {
		return exec.CommandContext(context.Background(), "containerd", args...), nil
	}
	built, err := realengine.BuiltDir()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(built, "containerd", "containerd"), args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(built, "containerd")+":"+built+":"+os.Getenv("PATH")) // for the shim, and runc
	return cmd, nil
}
