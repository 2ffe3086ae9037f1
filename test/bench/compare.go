// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// comparison is of the program of a commit with that of the working tree.
type comparison struct {
	base      string // a commit, in any way that git knows it by
	runs      int
	ldflags   string
	benchstat string // package and version
	out       string // directory of the samples
}

// side is one of the programs that are compared.
type side struct {
	label   string
	program string
	file    string // of its samples
	// unable has the parts that this program can't have measured, and why.
	unable map[string]error
}

// run builds both programs, measures them in turns, part by part, so that what
// else the machine does hits both, and shows what benchstat says.
func (c comparison) run(ctx context.Context, o options) error {
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	if c.runs < 1 {
		return errors.New("-runs: at least one")
	}
	repository, err := git(ctx, ".", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rdd-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	base, head := &side{label: "base", unable: map[string]error{}}, &side{label: "head"}
	if base.program, err = c.buildBase(ctx, repository, dir); err != nil {
		return err
	}
	if head.program, err = c.build(ctx, repository, filepath.Join(dir, "head")); err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	for _, s := range []*side{base, head} {
		s.file = filepath.Join(c.out, s.label+".txt")
		if err := os.WriteFile(s.file, []byte(header()), 0o644); err != nil {
			return err
		}
	}
	for n := range c.runs {
		for _, p := range chosen {
			fmt.Printf("\nrun %d of %d: %s\n", n+1, c.runs, p.name)
			for _, s := range []*side{base, head} {
				if err := s.measure(ctx, o, p); err != nil {
					return err
				}
			}
		}
	}
	for part, why := range base.unable {
		fmt.Printf("\n%s of the program of %s could not be measured: %v\n", part, c.base, why)
	}
	return c.show(ctx, base, head)
}

// measure measures a part, and writes its samples.
func (s *side) measure(ctx context.Context, o options, p part) error {
	if _, unable := s.unable[p.name]; unable {
		return nil
	}
	fmt.Printf("-- %s\n", s.label)
	o.program = s.program
	r := &report{out: os.Stdout}
	err := p.measure(ctx, o, r)
	if err != nil && s.unable != nil && ctx.Err() == nil {
		s.unable[p.name] = err // an old program may lack what is measured
		r = &report{}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.label, p.name, err)
	}
	return s.append(r.samples())
}

func (s *side) append(samples string) (err error) {
	file, err := os.OpenFile(s.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.WriteString(samples)
	return err
}

// buildBase returns the program of the base, built below dir. Its work tree is
// gone afterwards.
func (c comparison) buildBase(ctx context.Context, repository, dir string) (program string, err error) {
	commit, err := git(ctx, repository, "rev-parse", "--verify", "--quiet", "--end-of-options", c.base+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("BASE: there is no commit %q: name one that git knows, such as HEAD~3 or main", c.base)
	}
	tree := filepath.Join(dir, "tree")
	if _, err := git(ctx, repository, "-c", "core.hooksPath="+os.DevNull, "worktree", "add", "--detach", "--quiet", tree, commit); err != nil {
		return "", err // an interrupted git takes back what it did
	}
	defer func() {
		_, removed := git(context.WithoutCancel(ctx), repository, "worktree", "remove", "--force", tree)
		err = errors.Join(err, removed)
	}()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return c.build(ctx, tree, filepath.Join(dir, "base"))
}

// build builds the program of a work tree into a directory.
func (c comparison) build(ctx context.Context, tree, into string) (string, error) {
	fmt.Printf("building %s\n", filepath.Base(into))
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", c.ldflags, "-o", into+string(filepath.Separator), "./cmd/rdd")
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0") // as in the Makefile
	interruptible(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program of %s: %w\n%s", filepath.Base(into), err, out)
	}
	return exec.LookPath(filepath.Join(into, "rdd"))
}

// show has benchstat compare the samples.
func (c comparison) show(ctx context.Context, base, head *side) error {
	fmt.Printf("\nthe samples are in %s and %s\n\n", base.file, head.file)
	cmd := exec.CommandContext(ctx, "go", "run", c.benchstat, c.base+"="+base.file, "worktree="+head.file)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	interruptible(cmd)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(errs.Bytes()))
	}
	return strings.TrimSpace(out.String()), nil
}

// interruptible has the end of a command's context interrupt it, where the system
// can: it removes what it made.
func interruptible(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = 10 * time.Second
}
