// SPDX-License-Identifier: Apache-2.0

package process

import "os/exec"

// Start starts a command that may outlive this process. On Windows a command inherits
// only the handles that it is given.
func Start(cmd *exec.Cmd) error { return cmd.Start() }

// KeepFiles does nothing on Windows, where children don't inherit other files.
func KeepFiles() {}
