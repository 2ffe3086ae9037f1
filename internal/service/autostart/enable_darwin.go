// SPDX-License-Identifier: Apache-2.0

package autostart

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

func path(name string) (string, error) {
	home, err := os.UserHomeDir()
	return filepath.Join(home, "Library", "LaunchAgents", label(name)+".plist"), err
}

// Enable has launchd start the daemon from the next login on.
func Enable(_ context.Context, s Service) (Result, error) {
	if s.When == Boot {
		return Result{}, fault.New(fault.Usage, "", "", errors.New("--at boot: launchd starts agents of a user at login only; a daemon of root could not use your keychain and sockets"))
	}
	file, err := path(s.Instance)
	if err == nil {
		err = makeDir(file)
	}
	if err == nil {
		err = atomicfile.Write(file, s.agent(), 0o600)
	}
	return Result{Files: []string{file}}, err
}

// Disable takes back what Enable did. An agent that is loaded stays until logout.
func Disable(_ context.Context, name string) (Result, error) {
	file, err := path(name)
	if err != nil {
		return Result{}, err
	}
	files, err := removed(file)
	return Result{Files: files}, err
}

// Read returns how the daemon of an instance is started; nil for not at all.
func Read(inst *instance.Instance) *Enabled {
	file, err := path(inst.Name())
	if err != nil {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return readAgent(file, data)
}
