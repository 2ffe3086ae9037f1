// SPDX-License-Identifier: Apache-2.0

package hostinfo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/utils/clock"

	rddv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/rdd/v1alpha1"
)

const (
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

var errNoLimactl = errors.New("there is no limactl in PATH, nor beside rdd: install Lima, or name it in " + limactlEnv)

// limactl asks limactl for its version, once for each file that it is.
type limactl struct {
	clock clock.PassiveClock
	limit time.Duration

	// What was asked last, when, and what came of it.
	path   string
	file   fs.FileInfo // nil where nothing was
	asked  time.Time
	answer rddv1alpha1.Limactl
}

func (l *limactl) look(ctx context.Context, places Places) rddv1alpha1.Limactl {
	path, err := places.findLimactl()
	var file fs.FileInfo
	if err == nil {
		file, err = os.Stat(path)
	}
	if err != nil {
		l.file = nil
		return rddv1alpha1.Limactl{Message: err.Error()}
	}
	if l.knows(path, file) {
		return l.answer
	}
	l.path, l.file, l.asked = path, file, l.clock.Now()
	l.answer = rddv1alpha1.Limactl{Path: path}
	if l.answer.Version, err = l.ask(ctx, path); err != nil {
		l.answer.Message = err.Error()
	}
	return l.answer
}

// knows reports whether the file has answered already, or has failed to a short
// time ago.
func (l *limactl) knows(path string, file fs.FileInfo) bool {
	same := l.file != nil && path == l.path && os.SameFile(file, l.file) &&
		file.Size() == l.file.Size() && file.ModTime().Equal(l.file.ModTime())
	return same && (l.answer.Version != "" || l.clock.Since(l.asked) < askAgain)
}

// ask runs `limactl --version`, which prints "limactl version 2.2.0".
func (l *limactl) ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	inBackground(cmd)
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
	return fmt.Sprintf("%q", output[:min(len(output), maxQuote)])
}

// findLimactl returns the absolute path of limactl: the one that the user
// names, or else the first in PATH, or else the one beside RDD's programs.
func (p Places) findLimactl() (string, error) {
	if p.Limactl != "" {
		if !filepath.IsAbs(p.Limactl) {
			return "", fmt.Errorf("%s is %q, and must be an absolute path", limactlEnv, p.Limactl)
		}
		path, err := exec.LookPath(p.Limactl)
		if why := (*exec.Error)(nil); errors.As(err, &why) {
			return "", fmt.Errorf("%s is %q: %w", limactlEnv, p.Limactl, why.Err)
		}
		return path, err
	}
	for _, dir := range append(filepath.SplitList(p.Path), p.Programs) {
		if !filepath.IsAbs(dir) {
			continue // what it means depends on where the daemon was started
		}
		if path, err := exec.LookPath(filepath.Join(dir, "limactl")); err == nil {
			return path, nil
		}
	}
	return "", errNoLimactl
}
