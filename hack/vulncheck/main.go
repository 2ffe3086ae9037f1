// SPDX-License-Identifier: Apache-2.0

// Command vulncheck has govulncheck look for known vulnerabilities that the code
// calls, in the module of the current directory and in those below it. Without
// the database nothing is checked: it says so, and that is no failure.
//
//	vulncheck GOVULNCHECK DATABASE
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// reachTimeout bounds the database's answer, after govulncheck is built.
const reachTimeout = time.Minute

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulncheck GOVULNCHECK DATABASE")
		os.Exit(2)
	}
	c := checker{program: os.Args[1], database: os.Args[2], out: os.Stdout}
	if err := c.run(context.Background(), "."); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

// checker runs a version of govulncheck, with go run, with a database.
type checker struct {
	program, database string
	out               io.Writer
}

func (c checker) run(ctx context.Context, root string) error {
	dirs, err := modules(ctx, root)
	if err != nil {
		return err
	}
	reached, err := c.reaches(ctx)
	if err != nil {
		return err
	}
	if !reached {
		_, _ = fmt.Fprintf(c.out, "VULNERABILITIES ARE NOT CHECKED: the database %s can't be reached from here.\n", c.database)
		return nil
	}
	for _, dir := range dirs {
		_, _ = fmt.Fprintf(c.out, "vulnerabilities of %s:\n", dir)
		check := c.command(ctx, "-db", c.database, "-C", dir, "./...")
		check.Stdout, check.Stderr = c.out, c.out
		if err := check.Run(); err != nil {
			return fmt.Errorf("govulncheck of %s: %w", dir, err)
		}
	}
	return nil
}

func (c checker) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", append([]string{"run", c.program}, args...)...)
}

// reaches reports whether the database answers: govulncheck then prints its date.
func (c checker) reaches(ctx context.Context) (bool, error) {
	if out, err := c.command(ctx, "-h").CombinedOutput(); err != nil { // builds it
		return false, fmt.Errorf("run govulncheck: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	out, err := c.command(ctx, "-db", c.database, "-version").CombinedOutput()
	return err == nil && strings.Contains(string(out), "DB updated:"), nil
}

// modules returns the directories of the modules with their own packages, at or below
// root. A module that only pins programs for go to build has none.
func modules(ctx context.Context, root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "dist" || name == "testdata") {
			return fs.SkipDir
		}
		if entry.Name() != "go.mod" {
			return nil
		}
		list := exec.CommandContext(ctx, "go", "list", "./...")
		list.Dir = filepath.Dir(path)
		var stderr strings.Builder
		list.Stderr = &stderr // including the message that there are none
		packages, err := list.Output()
		if err != nil {
			return fmt.Errorf("go list in %s: %w\n%s", list.Dir, err, stderr.String())
		}
		if len(packages) > 0 {
			dirs = append(dirs, list.Dir)
		}
		return nil
	})
	return dirs, err
}
