// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Detach gives a command a console of its own, which has no window, and a
// process group of its own, so that it can be sent CTRL_BREAK and nothing that
// happens to the user's console reaches it.
func Detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW,
		HideWindow:    true,
	}
}

// Alone keeps what happens to the user's console from a command.
func Alone(cmd *exec.Cmd) { Detach(cmd) }
