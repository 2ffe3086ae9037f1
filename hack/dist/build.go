// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// build builds the programs of a platform, without the build ID, which depends on how
// the linker's flags are written.
func (d *dist) build(ctx context.Context, p platform, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-buildid= "+d.ldflags, "-o", dir+string(filepath.Separator), "./cmd/...")
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// split returns rdd and the other programs of a directory.
func (p platform) split(dir string) (rdd string, controllers []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if strings.TrimSuffix(entry.Name(), ".exe") == "rdd" {
			rdd = path
		} else {
			controllers = append(controllers, path)
		}
	}
	if err == nil && rdd == "" {
		err = errors.New("rdd was not built")
	}
	return rdd, controllers, err
}

// module is a module that is linked into a program.
type module struct {
	Path, Version, Dir string
	Replace            *module
}

// notices returns the licences of all modules that are linked into the programs: most
// require their text to accompany the program.
func notices(ctx context.Context, programs []string) ([]byte, error) {
	known, err := modules(ctx)
	if err != nil {
		return nil, err
	}
	linked := map[string]bool{}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, err
		}
		for _, dep := range info.Deps {
			linked[dep.Path] = true
		}
	}
	var text bytes.Buffer
	text.WriteString("The modules that RDD is built from, and their licences.\n")
	for _, path := range slices.Sorted(maps.Keys(linked)) {
		module, ok := known[path]
		if !ok {
			return nil, fmt.Errorf("the module %s is linked, but not in go.mod", path)
		}
		if err := module.notice(&text); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// modules returns all modules of the build, by their paths.
func modules(ctx context.Context) (map[string]module, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-json", "all")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m: %w", err)
	}
	known := map[string]module{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var m module
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		known[m.Path] = m
	}
}

// notice writes the module's licence files.
func (m module) notice(w io.Writer) error {
	version, dir := m.Version, m.Dir
	if m.Replace != nil {
		version, dir = m.Replace.Version, m.Replace.Dir
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\n\n%s\n%s %s\n", strings.Repeat("=", 79), m.Path, version)
	found := false
	legal := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)([.-].*)?$`)
	for _, entry := range entries {
		if entry.IsDir() || !legal.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		found = true
		_, _ = fmt.Fprintf(w, "\n--- %s\n\n%s", entry.Name(), data)
	}
	if !found {
		return fmt.Errorf("the module %s has no licence in %s", m.Path, dir)
	}
	return nil
}
