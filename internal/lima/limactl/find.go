// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/process"
)

const (
	// Env is the environment variable with the user's limactl.
	Env = "RDD_LIMACTL"

	// answerLimit bounds `limactl --version`. macOS checks a new program for some
	// seconds.
	answerLimit = 10 * time.Second
	// askAgain is the pause before a limactl that reported no version is run again.
	askAgain = 5 * time.Minute
	// outputLimit bounds the wait for limactl's output after its exit.
	outputLimit = time.Second

	// maxQuote is how much of limactl's output is quoted, in bytes.
	maxQuote = 200
)

// Places are where to search for limactl. Empty ones are skipped.
type Places struct {
	// Named is the limactl that the user named.
	Named string
	// Path lists directories with programs, as PATH does.
	Path string
	// Programs is the directory of RDD's own programs.
	Programs string
}

// ThisMachine returns the places on the machine.
func ThisMachine() Places {
	p := Places{Named: os.Getenv(Env), Path: os.Getenv("PATH")}
	if program, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(program); err == nil {
			program = resolved
		}
		p.Programs = filepath.Dir(program)
	}
	return p
}

// Find returns the absolute path of limactl: the one that the user named, else the
// first in PATH, else the one beside RDD's programs. The error is of the kind
// [Missing].
func (p Places) Find() (string, error) {
	if p.Named != "" {
		if !filepath.IsAbs(p.Named) {
			return "", missing(fmt.Sprintf("%s is %q: must be an absolute path", Env, p.Named))
		}
		path, err := exec.LookPath(p.Named)
		if err != nil {
			reason := err
			if why := (*exec.Error)(nil); errors.As(err, &why) {
				reason = why.Err
			}
			return "", missing(fmt.Sprintf("%s is %q: %v", Env, p.Named, reason))
		}
		return path, nil
	}
	for _, dir := range append(filepath.SplitList(p.Path), p.Programs) {
		if !filepath.IsAbs(dir) {
			continue // it is relative to the daemon's working directory
		}
		if path, err := exec.LookPath(filepath.Join(dir, "limactl")); err == nil {
			return path, nil
		}
	}
	return "", missing("limactl was not found in PATH or beside rdd: install Lima, or set " + Env)
}

func missing(message string) error { return &Error{Kind: Missing, Message: message} }

// Found is the result of a search for limactl.
type Found struct {
	// Path of the command; empty if it was not found.
	Path string
	// Version that the command prints.
	Version string
	// Message is why the path or the version is missing.
	Message string
}

// Probe runs limactl for its version, once for each file. It is safe for concurrent
// use.
type Probe struct {
	clock clock.PassiveClock
	limit time.Duration

	mu sync.Mutex
	// The last file that was run, when, and the result; guarded by mu.
	path   string
	file   fs.FileInfo // nil if none was
	asked  time.Time
	answer Found
}

// NewProbe returns a probe without a result.
func NewProbe(clock clock.PassiveClock) *Probe { return &Probe{clock: clock, limit: answerLimit} }

// Look finds limactl, and runs it for its version if the file has changed. It takes as
// long as limactl does, or until ctx ends; then the result is not valid.
func (l *Probe) Look(ctx context.Context, places Places) Found {
	path, err := places.Find()
	var file fs.FileInfo
	if err == nil {
		file, err = os.Stat(path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.file = nil
		return Found{Message: err.Error()}
	}
	if l.knowsLocked(path, file) {
		return l.answer
	}
	answer := Found{Path: path}
	if answer.Version, err = l.ask(ctx, path); err != nil {
		answer.Message = err.Error()
	}
	if ctx.Err() == nil {
		l.path, l.file, l.asked, l.answer = path, file, l.clock.Now(), answer
	}
	return answer
}

// knowsLocked reports whether the file has reported its version, or has failed
// recently.
func (l *Probe) knowsLocked(path string, file fs.FileInfo) bool {
	same := l.file != nil && path == l.path && os.SameFile(file, l.file) &&
		file.Size() == l.file.Size() && file.ModTime().Equal(l.file.ModTime())
	return same && (l.answer.Version != "" || l.clock.Since(l.asked) < askAgain)
}

// ask runs `limactl --version`, which prints "limactl version 2.2.0".
func (l *Probe) ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	process.Alone(cmd)
	cmd.WaitDelay = outputLimit
	output, err := cmd.CombinedOutput()
	fields := strings.Fields(string(output))
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("`%s --version` did not answer within %s", path, l.limit)
	case err != nil:
		return "", fmt.Errorf("`%s --version`: %w: %s", path, err, quote(output))
	case len(fields) < 3 || fields[0] != "limactl" || fields[1] != "version":
		return "", fmt.Errorf("`%s --version` printed no version: %s", path, quote(output))
	}
	return fields[2], nil
}

func quote(output []byte) string {
	return fmt.Sprintf("%q", bytes.TrimSpace(output[:min(len(output), maxQuote)]))
}
