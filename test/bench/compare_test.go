// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repository makes a repository with two commits of a small program, which says
// which of them it is of; the newer says after.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	in := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
	}
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in("git", "init", "--quiet")
	write("go.mod", "module example.test/rdd\n")
	for _, word := range []string{"before", "after"} {
		write(filepath.Join("cmd", "rdd", "main.go"), "package main\n\nfunc main() { println(\""+word+"\") }\n")
		in("git", "add", ".")
		in("git", "-c", "user.name=T", "-c", "user.email=t@example.test", "commit", "--quiet", "-m", word)
	}
	return dir
}

// left fails the test where a comparison left something behind.
func left(t *testing.T, repository, temporary string) {
	t.Helper()
	trees, err := git(context.Background(), repository, "worktree", "list", "--porcelain")
	if err != nil || strings.Count(trees, "worktree ") != 1 {
		t.Errorf("work trees: %v\n%s", err, trees)
	}
	if entries, err := os.ReadDir(temporary); err != nil || len(entries) > 0 {
		t.Errorf("the directory for temporary files has %v, %v", entries, err)
	}
}

func TestTheBaseIsBuilt(t *testing.T) {
	dir, into := repository(t), t.TempDir()
	program, err := comparison{base: "HEAD~1"}.buildBase(t.Context(), dir, into)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "before" {
		t.Errorf("the program of the base says %q, %v", out, err)
	}
	if err := os.RemoveAll(filepath.Dir(program)); err != nil {
		t.Fatal(err)
	}
	left(t, dir, into)
}

// TestNothingIsLeftOfAComparison that ends early: of a base that there is not, one
// that can't be built, and by an interrupt while it is built.
func TestNothingIsLeftOfAComparison(t *testing.T) {
	dir := repository(t)
	t.Chdir(dir)
	temporary, slow := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("TMP", temporary)
	for name, test := range map[string]struct {
		comparison comparison
		interrupt  bool
		want       string
	}{
		"no such commit": {comparison{base: "nope", runs: 1}, false, `there is no commit "nope"`},
		"no commit":      {comparison{runs: 1}, false, "there is no commit"},
		"an option":      {comparison{base: "--all", runs: 1}, false, `there is no commit "--all"`},
		"can't be built": {comparison{base: "HEAD", runs: 1, ldflags: "-nonsense"}, false, "build the program of base"},
		"no runs":        {comparison{base: "HEAD"}, false, "-runs"},
		"interrupt":      {comparison{base: "HEAD", runs: 1}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.interrupt {
				interruptBuild(t, slow, cancel)
			}
			err := test.comparison.run(ctx, options{only: "size"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the comparison ended with %v, want an error with %q", err, test.want)
			}
			left(t, dir, temporary)
		})
	}
}

// interruptBuild puts a go into the path, by a directory, that never ends, and
// cancels once it runs.
func interruptBuild(t *testing.T, bin string, cancel context.CancelFunc) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a script is no program there, and nothing is interrupted")
	}
	started := filepath.Join(bin, "started")
	script := "#!/bin/sh\necho > '" + started + "'\nexec sleep 600\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		defer cancel()
		looks := time.NewTicker(10 * time.Millisecond)
		defer looks.Stop()
		for range looks.C {
			if _, err := os.Stat(started); err == nil || t.Context().Err() != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { <-watching })
}
