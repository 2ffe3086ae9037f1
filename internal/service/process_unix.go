// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service

import (
	"os/exec"
	"syscall"
)

// detach gives the process a session of its own, so that nothing that happens
// to the terminal reaches it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func interrupt(pid int) error { return signal(pid, syscall.SIGINT) }

func kill(pid int) error { return signal(pid, syscall.SIGKILL) }

func signal(pid int, s syscall.Signal) error {
	err := syscall.Kill(pid, s)
	if err == syscall.ESRCH {
		return nil // it ended by itself
	}
	return err
}
