// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Detach gives a command its own console, without a window, and its own process group,
// so that it can receive CTRL_BREAK, and events of the user's console don't reach it.
func Detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW,
		HideWindow:    true,
	}
}

// Alone shields a command from events of the user's console.
func Alone(cmd *exec.Cmd) { Detach(cmd) }
