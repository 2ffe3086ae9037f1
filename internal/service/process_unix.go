// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service

import "syscall"

func interrupt(pid int) error { return signal(pid, syscall.SIGINT) }

func kill(pid int) error { return signal(pid, syscall.SIGKILL) }

func signal(pid int, s syscall.Signal) error {
	err := syscall.Kill(pid, s)
	if err == syscall.ESRCH {
		return nil // it has exited by itself
	}
	return err
}
