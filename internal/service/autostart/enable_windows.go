// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// commandLimit is how long the scheduler may take.
const commandLimit = 30 * time.Second

// file is where the task is kept that the scheduler was given.
func file(name string) (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "rancher-desktop-autostart", name+".xml"), err
}

// Enable has the scheduler start the daemon. At boot, only an administrator may ask for
// that.
func Enable(ctx context.Context, s Service) (Result, error) {
	me, err := user.Current()
	if err != nil {
		return Result{}, err
	}
	data, err := s.taskXML(me.Username)
	if err != nil {
		return Result{}, err
	}
	path, err := file(s.Instance)
	if err == nil {
		err = makeDir(path)
	}
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	if err != nil {
		return Result{}, err
	}
	if err := schtasks(ctx, "/Create", "/F", "/TN", taskName(s.Instance), "/XML", path); err != nil {
		_ = os.Remove(path)
		return Result{}, err
	}
	return Result{Files: []string{path}, Notes: []string{"The scheduler has the task " + taskName(s.Instance) + "."}}, nil
}

// Disable takes back what Enable did.
func Disable(ctx context.Context, name string) (Result, error) {
	path, err := file(name)
	if err != nil {
		return Result{}, err
	}
	if _, err := os.Stat(path); err != nil {
		return Result{}, nil //nolint:nilerr // it was not enabled
	}
	if err := schtasks(ctx, "/Delete", "/F", "/TN", taskName(name)); err != nil && schtasks(ctx, "/Query", "/TN", taskName(name)) == nil {
		return Result{}, err
	}
	files, err := removed(path)
	return Result{Files: files}, err
}

// Read returns how the daemon of an instance is started; nil for not at all.
func Read(inst *instance.Instance) *Enabled {
	path, err := file(inst.Name())
	if err != nil {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return readTask(path, data)
}

func schtasks(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "schtasks.exe", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("`schtasks %s`: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// taskName is the scheduler's name of an instance's task.
func taskName(name string) string { return `\rancher-desktop-` + name }
