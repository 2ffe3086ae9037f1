// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a program that runs beside the test.
type process struct {
	h      *home
	name   string
	cmd    *exec.Cmd
	stdout *said
	stderr *said
	done   chan struct{}
}

// said is the output of a program so far.
type said struct {
	mu     sync.Mutex
	buffer bytes.Buffer // guarded by mu
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer.String()
}

// spawn starts one of the built programs, which ends with the test.
func (h *home) spawn(name string, args ...string) *process {
	h.t.Helper()
	path := name
	if !filepath.IsAbs(name) {
		path = filepath.Join(programs, name)
	}
	p := &process{h: h, name: name, stdout: &said{}, stderr: &said{}, done: make(chan struct{})}
	p.cmd = h.command(context.Background(), path, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.stderr.String(), "DATA RACE") {
			h.t.Errorf("%s has a data race:\n%s", name, p.stderr)
		}
		if h.t.Failed() {
			h.t.Logf("%s said:\n%s", name, p.stderr)
		}
	})
	return p
}

// kill ends the process with SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// interrupt asks the process to end, and returns its exit code.
func (p *process) interrupt() int {
	p.h.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.h.t.Fatal(err)
	}
	return p.wait(patience)
}

// wait waits for the end, and returns the exit code.
func (p *process) wait(limit time.Duration) int {
	p.h.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.h.t.Fatalf("%s does not end within %s:\n%s", p.name, limit, p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// says waits until the process has printed something.
func (p *process) says(words string) {
	p.h.t.Helper()
	p.h.eventually(p.name+" says "+words, func() (bool, string) {
		text := p.stderr.String()
		return strings.Contains(text, words), text
	})
}

// prints waits until the process has printed something.
func (p *process) prints(words string) {
	p.h.t.Helper()
	p.h.eventually(p.name+" prints "+words, func() (bool, string) {
		text := p.stdout.String()
		return strings.Contains(text, words), text
	})
}

// rounds is how often a test does something again: as often as said where
// RDD_TEST_ROUNDS=all asks for it, and a few times else.
func rounds(t *testing.T, all, few int) int {
	t.Helper()
	if os.Getenv("RDD_TEST_ROUNDS") == "all" {
		return all
	}
	return few
}
