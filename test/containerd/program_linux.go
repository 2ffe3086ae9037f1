// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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
		dir, err := builtDir()
		if err != nil {
			return err
		}
		programs = []string{filepath.Join(dir, "containerd", "containerd"), filepath.Join(dir, "containerd", "containerd-shim-runc-v2"), filepath.Join(dir, "runc")}
		advice = "make engines; apt-get install busybox-static"
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w (%s)", err, advice)
		}
	}
	return nil
}

func (p Program) command(args ...string) (*exec.Cmd, error) {
	if p == Debian {
		return exec.CommandContext(context.Background(), "containerd", args...), nil
	}
	built, err := builtDir()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(built, "containerd", "containerd"), args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(built, "containerd")+":"+built+":"+os.Getenv("PATH")) // for the shim, and runc
	return cmd, nil
}

// builtDir returns where `make engines` builds to: bin/engines in the module's
// directory, which is at or above the test's.
func builtDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); !errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(dir, "bin", "engines"), err
		}
	}
	return "", errors.New("there is no go.mod above the test's directory")
}
