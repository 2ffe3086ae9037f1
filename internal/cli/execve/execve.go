// SPDX-License-Identifier: Apache-2.0

// Package execve replaces this process with another program: on Unix with
// exec(2), so that the program gets the signals, the terminal and the exit code,
// and on Windows with a child process that it waits for.
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

// Exit codes of POSIX shells for programs that can't be run (Shell Command
// Language, 2.8.2).
const (
	ExitNotFound      = 127
	ExitNotExecutable = 126
)

// Error says that a program can't be run.
type Error struct {
	// Code is the exit code that a shell would return.
	Code int
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Find returns the path of a program. It searches for a name without a slash in the
// directories of path, a list like PATH. The error is an [*Error].
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
		// LookPath does not search PATH for a name with a slash.
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

// Environment returns environ with the variables in set, whose names are in upper
// case. A variable with an empty value is removed.
func Environment(environ []string, set map[string]string) []string {
	var result []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // Windows ignores the case
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

// PrependPath returns path, a list like PATH, with dir in front.
func PrependPath(dir, path string) string {
	if path == "" {
		return dir
	}
	return dir + string(os.PathListSeparator) + path
}

// Programs returns the sorted names of the programs with the prefix in the
// directories of path, a list like PATH.
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
