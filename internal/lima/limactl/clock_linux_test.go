// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestClockSetForward: a process still belongs to its PID file after the clock is set
// forward by two days, which makes the file look older than the process. An unrelated
// process does not.
func TestClockSetForward(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		argument string
		lives    bool
	}{
		"its own":  {filepath.Join(dir, "ha.sock"), true},
		"another":  {"/elsewhere/ha.sock", false},
		"a prefix": {dir + "-other/ha.sock", false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read line", test.argument)
			if _, err := cmd.StdinPipe(); err != nil { // whose command line has no path of the instance
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			file := filepath.Join(dir, "ha.pid")
			if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
				t.Fatal(err)
			}
			then := time.Now().Add(-48 * time.Hour)
			if err := os.Chtimes(file, then, then); err != nil {
				t.Fatal(err)
			}
			if id := readPID(file); (id.PID != 0) != test.lives {
				t.Errorf("process %d is taken for that of the file: %t, want %t", cmd.Process.Pid, id.PID != 0, test.lives)
			}
		})
	}
}
