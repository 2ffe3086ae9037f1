// SPDX-License-Identifier: Apache-2.0

package realengine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RemoveControlGroups removes what a runtime that was killed has left: the control
// groups with a name that matches a pattern, and the processes in them.
func RemoveControlGroups(pattern string) {
	var groups []string
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} { // of version 2, and 1
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		groups = append(groups, found...)
	}
	for _, group := range groups {
		for deadline := time.Now().Add(time.Second); ; time.Sleep(poll) {
			// What is paused would not end.
			_ = os.WriteFile(filepath.Join(group, "freezer.state"), []byte("THAWED"), 0o600)
			_ = os.WriteFile(filepath.Join(group, "cgroup.freeze"), []byte("0"), 0o600)
			pids, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			for pid := range strings.FieldsSeq(string(pids)) {
				if n, err := strconv.Atoi(pid); err == nil && n > 0 {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
			}
			if err := syscall.Rmdir(group); err == nil || time.Now().After(deadline) {
				break
			}
		}
	}
}
