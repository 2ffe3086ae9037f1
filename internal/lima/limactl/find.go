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
	// Env names the limactl that the user wants.
	Env = "RDD_LIMACTL"

	// answerLimit is how long limactl may take to say its version. macOS checks
	// a program that it has not seen before for some seconds.
	answerLimit = 10 * time.Second
	// askAgain is the pause before a limactl that gave no version is asked again.
	askAgain = 5 * time.Minute
	// outputLimit is how long limactl's output is waited for when it has ended.
	outputLimit = time.Second

	// maxQuote is how much of limactl's output is repeated, in bytes.
	maxQuote = 200
)

// Places are where limactl is looked for. Empty ones are not looked at.
type Places struct {
	// Named is the limactl that the user wants.
	Named string
	// Path lists directories with programs, as PATH does.
	Path string
	// Programs is where RDD's own programs are.
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

// Find returns the absolute path of limactl: the one that the user names, or
// else the first in PATH, or else the one beside RDD's programs. The error is
// one of the kind [Missing].
func (p Places) Find() (string, error) {
	if p.Named != "" {
		if !filepath.IsAbs(p.Named) {
			return "", missing(fmt.Sprintf("%s is %q, and must be an absolute path", Env, p.Named))
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
			continue // what it means depends on where the daemon was started
		}
		if path, err := exec.LookPath(filepath.Join(dir, "limactl")); err == nil {
			return path, nil
		}
	}
	return "", missing("there is no limactl in PATH, nor beside rdd: install Lima, or name it in " + Env)
}

func missing(message string) error { return &Error{Kind: Missing, Message: message} }

// Found is a limactl that was looked for.
type Found struct {
	// Path of the command; empty where none was found.
	Path string
	// Version that it says it has.
	Version string
	// Message says why there is no path or no version.
	Message string
}

// Probe asks limactl for its version, once for each file that it is. It is safe
// for concurrent use.
type Probe struct {
	clock clock.PassiveClock
	limit time.Duration

	mu sync.Mutex
	// What was asked last, when, and what came of it; guarded by mu.
	path   string
	file   fs.FileInfo // nil where nothing was
	asked  time.Time
	answer Found
}

// NewProbe returns a probe that has asked nothing yet.
func NewProbe(clock clock.PassiveClock) *Probe { return &Probe{clock: clock, limit: answerLimit} }

// Look finds limactl, and asks for its version where it is another than at the
// last look. It takes as long as limactl does, or until ctx ends; what it returns
// is of no use then.
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

// knowsLocked reports whether the file has answered already, or has failed to a
// short time ago.
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
