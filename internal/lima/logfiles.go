// SPDX-License-Identifier: Apache-2.0

package lima

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
)

// Log is one of a virtual machine's logs.
type Log string

// The logs.
const (
	// LimactlLog is the output of limactl when it created, started, stopped and deleted
	// the virtual machine.
	LimactlLog Log = "limactl.log"
	// AgentLog is the host agent's log, as JSON, since the last start.
	AgentLog Log = "ha.stderr.log"
	// SerialLog is the guest's console, since the last start.
	SerialLog Log = "serial.log"
)

// LogFiles finds the logs of an instance's virtual machines.
type LogFiles struct {
	// Home is LIMA_HOME, and Dir the directory of RDD's own logs.
	Home, Dir string
}

// logPrefix is the prefix of the logs in LogFiles.Dir.
const logPrefix = "rdd.lima."

// Path returns the file of a log, which may not exist. For a deleted virtual machine it
// is the kept copy.
func (f LogFiles) Path(name string, log Log) string {
	kept := logFile(f.Dir, name, string(log))
	if log == LimactlLog {
		return kept
	}
	dir := (&limactl.Client{Home: f.Home}).Dir(name)
	if _, err := os.Stat(dir); err != nil {
		if _, err := os.Stat(kept); err == nil {
			return kept
		}
	}
	path := filepath.Join(dir, string(log))
	if log == SerialLog {
		// The guest's kernel decides which console it writes to.
		for _, other := range []string{"serial.log", "serialp.log", "serialv.log"} {
			if info, err := os.Stat(filepath.Join(dir, other)); err == nil && info.Size() > 0 {
				return filepath.Join(dir, other)
			}
		}
	}
	return path
}

// Names returns the sorted names of the virtual machines that have logs, including
// deleted ones.
func (f LogFiles) Names() []string {
	names := (&limactl.Client{Home: f.Home}).Names()
	for _, log := range []Log{LimactlLog, AgentLog, SerialLog} {
		kept, err := filepath.Glob(logFile(f.Dir, "*", string(log)))
		if err != nil {
			continue
		}
		for _, file := range kept {
			name := strings.TrimPrefix(filepath.Base(file), logPrefix)
			names = append(names, strings.TrimSuffix(name, "."+string(log)))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// logFile returns the path of a virtual machine's log in RDD's log directory, which is
// deleted with the RDD instance.
func logFile(dir, name, of string) string {
	return filepath.Join(dir, fmt.Sprintf("%s%s.%s", logPrefix, name, of))
}
