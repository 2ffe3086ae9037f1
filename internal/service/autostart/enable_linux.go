// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// commandLimit is how long a command of systemd's may take.
const commandLimit = 20 * time.Second

// lingerDir has a file for each user whose systemd runs without a session.
const lingerDir = "/var/lib/systemd/linger"

// paths returns the unit of an instance, and the link that enables it.
func paths(name string) (unit, link string, err error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", "", err
	}
	dir = filepath.Join(dir, "systemd", "user")
	return filepath.Join(dir, unitName(name)), filepath.Join(dir, "default.target.wants", unitName(name)), nil
}

// Enable has systemd start the daemon. The files do that, also while no systemd of the
// user runs; a running one reloads them.
func Enable(ctx context.Context, s Service) (Result, error) {
	unit, link, err := paths(s.Instance)
	if err != nil {
		return Result{}, err
	}
	if err := makeDir(link); err != nil {
		return Result{}, err
	}
	if err := atomicfile.Write(unit, []byte(s.unit()), 0o600); err != nil {
		return Result{}, err
	}
	result := Result{Files: []string{unit, link}}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	if err := os.Symlink(unit, link); err != nil {
		return result, err
	}
	if err := run(ctx, "systemctl", "--user", "daemon-reload"); err != nil {
		result.Notes = append(result.Notes, "The user's systemd does not answer now; it reads the unit when it starts.")
	}
	if s.When == Boot {
		if err := linger(ctx); err != nil {
			return result, fmt.Errorf("the unit is enabled, but starts at login only: %w; run `sudo loginctl enable-linger $USER`", err)
		}
		result.Notes = append(result.Notes, "This user's services now start at boot (`loginctl disable-linger` takes that back).")
	}
	return result, nil
}

// linger lets the services of the user run without a session.
func linger(ctx context.Context) error {
	if me, err := user.Current(); err == nil {
		if _, err := os.Stat(filepath.Join(lingerDir, me.Username)); err == nil {
			return nil
		}
	}
	return run(ctx, "loginctl", "enable-linger")
}

// Disable takes back what Enable did, but for what other services of the user may rely
// on.
func Disable(ctx context.Context, name string) (Result, error) {
	unit, link, err := paths(name)
	if err != nil {
		return Result{}, err
	}
	files, err := removed(link, unit)
	if err == nil && len(files) > 0 {
		_ = run(ctx, "systemctl", "--user", "daemon-reload") // see Enable
	}
	return Result{Files: files}, err
}

// Read returns how the daemon of an instance is started; nil for not at all.
func Read(inst *instance.Instance) *Enabled {
	unit, link, err := paths(inst.Name())
	if err != nil {
		return nil
	}
	if _, err := os.Lstat(link); err != nil {
		return nil
	}
	data, err := os.ReadFile(unit)
	if err != nil {
		return nil
	}
	return readUnit(unit, string(data))
}

func run(ctx context.Context, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput() //nolint:gosec // systemctl or loginctl
	if err != nil {
		return fmt.Errorf("`%s %s`: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
