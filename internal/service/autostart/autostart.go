// SPDX-License-Identifier: Apache-2.0

// Package autostart has the operating system start an instance's daemon: by a unit of
// the user's systemd, an agent of launchd, or a task of Windows' scheduler. They are
// plain files, so that a user can read what was done.
package autostart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// When says at which event the daemon is started.
type When string

// The events.
const (
	Login When = "login" // of the user
	Boot  When = "boot"  // of the machine, without a session of the user
)

// Service describes the daemon to the operating system.
type Service struct {
	// Instance is the name of the instance.
	Instance string
	// Executable is the absolute path of rdd.
	Executable string
	When       When
	// Environment is what the daemon needs to find the same instance as the user's
	// commands do, as NAME=VALUE.
	Environment []string
	// Log is where launchd puts what the daemon prints.
	Log string
}

// Result says what was done.
type Result struct {
	// Files are those that were written or removed.
	Files []string
	// Notes say what the user should know.
	Notes []string
}

// Enabled is how a daemon is started.
type Enabled struct {
	// At is the event.
	At When `json:"at"`
	// File is what says so.
	File string `json:"file"`
	// Executable is the program that it starts.
	Executable string `json:"executable"`
}

// names are the variables that say where an instance is, and where its programs are. None
// is a secret.
var names = []string{
	"PATH", instance.LogDirEnv, "XDG_DATA_HOME", "XDG_STATE_HOME", "DOCKER_CONFIG", "RDD_LIMACTL", "RDD_VM_CPUS", "RDD_VM_IMAGE",
}

// New describes the daemon of an instance that is started from this environment.
func New(inst *instance.Instance, executable string, when When, lookup func(string) (string, bool)) Service {
	s := Service{Instance: inst.Name(), Executable: executable, When: when, Log: inst.StdoutLog()}
	for _, name := range names {
		if value, ok := lookup(name); ok && value != "" && !strings.ContainsAny(value, "\n\r\x00") {
			s.Environment = append(s.Environment, name+"="+value)
		}
	}
	return s
}

// arguments are those of the daemon.
func (s Service) arguments() []string { return []string{"--instance", s.Instance, "service", "serve"} }

// removed removes files and returns those that were there.
func removed(paths ...string) (files []string, err error) {
	for _, path := range slices.Compact(paths) {
		switch err := os.Remove(path); {
		case err == nil:
			files = append(files, path)
		case !os.IsNotExist(err):
			return files, err
		}
	}
	return files, nil
}

// makeDir makes the directory of a file.
func makeDir(path string) error { return os.MkdirAll(filepath.Dir(path), 0o700) }
