// SPDX-License-Identifier: Apache-2.0

// Package stage is what a test and the limactl that it stands in for tell each
// other: how that is to behave, and what it was asked.
package stage

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Faults say how the limactl of a LIMA_HOME behaves. The zero value is one that
// works.
type Faults struct {
	// Root has it refuse to run.
	Root bool
	// CreateFails is why a creation fails, half way.
	CreateFails string
	// CreateMS is how long one takes, in milliseconds, and BootMS a boot; 0 for no
	// time.
	CreateMS, BootMS int
	// ValidateMS is how long a validation takes, in milliseconds; it is noted then when
	// it begins and when it ends.
	ValidateMS int
	// Boot is how boots go: well, or one of the words below.
	Boot string
	// StopHangs has a graceful stop never end, and StopFails a forced one fail.
	StopHangs, StopFails bool
	// DeleteFails is why a deletion fails.
	DeleteFails string
	// Engines are what answers at sockets of the guest: the paths of sockets of
	// engines on this machine, by those in the guest.
	Engines map[string]string
}

// How boots go.
const (
	BootHangs    = "hangs"
	BootFails    = "fails"
	BootDegraded = "degraded"
	// BootDies is one that succeeds, after which the virtual machine ends.
	BootDies = "dies"
)

// Notes of a validation that takes its time.
const (
	ValidateBegins = "validate begins"
	ValidateEnds   = "validate ends"
)

// Words in a template that limactl rejects: at once, and as one that takes the
// place of another.
const (
	Rejected    = "REJECTED"
	RejectedNow = "SHRUNK"
)

const (
	faultsFile = "_faults.json"
	callsFile  = "_calls"
)

// Build builds the program into a directory, as limactl.
func Build(dir, source string) error {
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "limactl"), source)
	build.Stderr = os.Stderr
	build.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0") // as the Makefile: what is compiled is shared
	return build.Run()
}

// Set has the limactl of a LIMA_HOME behave like that from now on.
func Set(t testing.TB, home string, f Faults) {
	t.Helper()
	data, err := json.Marshal(f)
	if err == nil {
		err = os.MkdirAll(home, 0o700)
	}
	path := filepath.Join(home, faultsFile)
	if err == nil {
		err = os.WriteFile(path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Read returns how the limactl of a LIMA_HOME is to behave.
func Read(home string) Faults {
	var f Faults
	if data, err := os.ReadFile(filepath.Join(home, faultsFile)); err == nil {
		_ = json.Unmarshal(data, &f)
	}
	return f
}

// Note notes what limactl was asked.
func Note(home string, words ...string) error {
	file, err := os.OpenFile(filepath.Join(home, callsFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.Join(words, " ") + "\n")
	return errors.Join(err, file.Close())
}

// Calls returns what limactl was asked that changes something, in order.
func Calls(t testing.TB, home string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(home, callsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}
