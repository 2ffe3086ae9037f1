// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// interrupt sends CTRL_BREAK. It reaches only processes on the sender's console, so a
// child of this program attaches itself to the daemon's console first.
func interrupt(pid int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "service", "interrupt", fmt.Sprint(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW, HideWindow: true}
	return cmd.Run()
}

// Interrupt sends CTRL_BREAK to the process from this one, which detaches from its
// console. It implements `rdd service interrupt`.
func Interrupt(pid int) error {
	kernel := windows.NewLazySystemDLL("kernel32.dll")
	call := func(name string, args ...uintptr) error {
		if ok, _, err := kernel.NewProc(name).Call(args...); ok == 0 {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	_ = call("FreeConsole")
	if err := call("AttachConsole", uintptr(pid)); err != nil {
		return err
	}
	// This process must not exit because of its own signal.
	if err := call("SetConsoleCtrlHandler", 0, 1); err != nil {
		return err
	}
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(pid))
}

func kill(pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil //nolint:nilerr // there is no such process
	}
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
