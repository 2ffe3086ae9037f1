// SPDX-License-Identifier: Apache-2.0

// Package execve replaces this process by another program: on Unix by
// exec(2), so that signals, the terminal and the exit code are its own, and on
// Windows by a child that is waited for.
package execve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Exit codes for programs that can't be run, as POSIX shells have them (Shell
// Command Language, 2.8.2).
const (
	ExitNotFound      = 127
	ExitNotExecutable = 126
)

// Error says that a program can't be run.
type Error struct {
	// Code is the exit code that says so, as a shell would.
	Code int
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Find returns the path of a program. A name without a slash is looked for in the
// directories of path, a list as in PATH. The error is an [*Error].
func Find(name, path string) (string, error) {
	if filepath.Base(name) != name {
		found, err := exec.LookPath(name)
		return found, failed(name, err)
	}
	var refused error
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		// With a slash the name is looked for nowhere else.
		candidate := dir + string(filepath.Separator) + name
		found, err := exec.LookPath(candidate)
		if err == nil {
			return found, nil
		}
		if errors.Is(err, fs.ErrPermission) && refused == nil {
			refused = failed(candidate, err)
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", failed(name, exec.ErrNotFound)
}

func failed(name string, err error) error {
	if err == nil {
		return nil
	}
	var lookup *exec.Error
	if errors.As(err, &lookup) {
		err = lookup.Err
	}
	code := ExitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = ExitNotFound
	}
	return &Error{Code: code, Err: fmt.Errorf("run %s: %w", name, err)}
}

// Environment returns the environment with some variables set, whose names are in
// upper case, and those without a value taken out.
func Environment(environ []string, set map[string]string) []string {
	var result []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // Path is PATH there
		}
		if _, replaced := set[name]; !replaced {
			result = append(result, entry)
		}
	}
	for name, value := range set {
		if value != "" {
			result = append(result, name+"="+value)
		}
	}
	return result
}

// PrependPath returns a list as in PATH that begins with a directory.
func PrependPath(dir, path string) string {
	if path == "" {
		return dir
	}
	return dir + string(os.PathListSeparator) + path
}

// Programs returns the names of the programs in the directories of path, a list
// as in PATH, that begin with a prefix. They are sorted.
func Programs(prefix, path string) []string {
	var names []string
	for _, dir := range filepath.SplitList(path) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Name(), prefix) {
				continue
			}
			if _, err := exec.LookPath(filepath.Join(dir, entry.Name())); err == nil {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
