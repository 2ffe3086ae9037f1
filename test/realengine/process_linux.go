// SPDX-License-Identifier: Apache-2.0

// Package realengine has what all real engines of the tests need: a process that
// is killed and started again, an image to begin with, and that nothing is left
// behind.
package realengine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	// StopTimeout is how long an engine may take to end gently.
	StopTimeout = 30 * time.Second
	poll        = 20 * time.Millisecond
)

// Process is the engine process that was started last.
type Process struct {
	name   string
	log    string
	cmd    *exec.Cmd
	exited chan struct{}
}

// NewProcess returns a process that does not run yet. name is for messages, log
// the file that it writes to.
func NewProcess(name, log string) *Process { return &Process{name: name, log: log} }

// Start starts a command as the process, and waits until it answers.
func (p *Process) Start(cmd *exec.Cmd, answers func() bool) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	// It dies with the test, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	p.cmd, p.exited = cmd, exited
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(poll) {
		if answers() {
			return nil
		}
		if p.Ended() {
			return fmt.Errorf("%s ended: %s", p.name, p.logTail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %s", p.name, p.logTail())
		}
	}
}

// Started reports whether it was ever started.
func (p *Process) Started() bool { return p.exited != nil }

// Ended reports whether it does not run, as it was killed, or never did.
func (p *Process) Ended() bool {
	if p.exited == nil {
		return true
	}
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Kill ends it with SIGKILL. What it has started may live on.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Stop terminates it, and kills it if it does not end.
func (p *Process) Stop() {
	if p.Ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(StopTimeout):
		p.Kill()
	}
}

func (p *Process) logTail() string {
	data, _ := os.ReadFile(p.log)
	return string(data[max(0, len(data)-2000):])
}

// Processes returns the processes, other than this one, that have a directory on
// their command line, and a word.
func Processes(dir, word string) []int {
	var pids []int
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(data), dir) || !strings.Contains(string(data), word) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/", &pid); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// KillLeftovers ends what a killed engine left running: everything that has its
// directory on the command line.
func KillLeftovers(dir string) {
	for _, pid := range Processes(dir, "") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// UnmountAll unmounts everything below a directory, the newest mount first.
func UnmountAll(dir string) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	lines := strings.Split(string(mounts), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], dir) {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH) // what stays shows when the directory is removed
		}
	}
}
