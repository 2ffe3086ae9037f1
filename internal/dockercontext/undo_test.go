// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/utils/clock"
)

var realClock = clock.RealClock{}

// TestLinks: the file that is written is the one that docker reads, whatever
// chain of links leads to it.
func TestLinks(t *testing.T) {
	for name, links := range map[string][][2]string{ // in the order in which they are made
		"a link to nothing yet":         {{"docker/config.json", "$/dotfiles/config.json"}},
		"a chain":                       {{"docker/config.json", "second.json"}, {"docker/second.json", "../dotfiles/third.json"}, {"dotfiles/third.json", "config.json"}},
		"through a linked directory":    {{"docker/config.json", "sub/config.json"}, {"docker/sub", "$/dotfiles"}},
		"back out of one":               {{"docker/config.json", "sub/../config.json"}, {"docker/sub", "$/dotfiles/deep"}},
		"of a directory that is a link": {{"linked", "$/dotfiles/deep"}, {"dotfiles/deep/config.json", "../config.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, made := range []string{"docker", "dotfiles/deep"} {
				if err := os.MkdirAll(filepath.Join(dir, made), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, "docker", configName)
			for _, link := range links {
				if err := os.Symlink(strings.ReplaceAll(link[1], "$", dir), filepath.Join(dir, link[0])); err != nil {
					t.Fatal(err)
				}
				if link[0] == "linked" {
					path = filepath.Join(dir, "linked", configName)
				}
			}
			c := config{path: path}
			if done, err := c.swap("", "ours"); !done || err != nil {
				t.Fatal(done, err)
			}
			if current, err := c.current(); current != "ours" || err != nil {
				t.Errorf("read back: %q, %v", current, err)
			}
			if info, err := os.Lstat(filepath.Join(dir, "dotfiles", configName)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("the file at the end of the chain: %v", err)
			}
			if done, err := c.swap("ours", "other"); !done || err != nil { // it is there now
				t.Fatal(done, err)
			}
			if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("the link is gone: %v", err)
			}
		})
	}
}

// TestLinksToNowhere: what can't be made is refused, with the path.
func TestLinksToNowhere(t *testing.T) {
	for target, words := range map[string]string{
		"missing/config.json": "it is a link to ", configName: "more than 40 times", "missing/": "it is a link to ",
	} {
		c := config{path: filepath.Join(t.TempDir(), configName)}
		if err := os.Symlink(target, c.path); err != nil {
			t.Fatal(err)
		}
		if done, err := c.swap("", "ours"); done || err == nil || !strings.Contains(err.Error(), words) && !strings.Contains(err.Error(), "too many levels") {
			t.Errorf("%s: %v, %v", target, done, err)
		}
		leftAlone(t, filepath.Dir(c.path), configName)
	}
}

// TestNothingToTakeBack: an instance that changed nothing goes, whatever there is
// in the place of Docker's directory by then.
func TestNothingToTakeBack(t *testing.T) {
	for name, hinder := range map[string]func(dir string) error{
		"no directory": os.RemoveAll,
		"a file":       func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
		"below a file": func(dir string) error {
			parent := filepath.Dir(dir)
			return errors.Join(os.RemoveAll(parent), os.WriteFile(parent, nil, 0o600))
		},
		"a broken configuration": func(dir string) error { return os.WriteFile(filepath.Join(dir, configName), []byte("{"), 0o600) },
		"a directory for a configuration": func(dir string) error {
			return os.Mkdir(filepath.Join(dir, configName), 0o700)
		},
		"another's current context": func(dir string) error {
			// A lock that can't be made.
			return errors.Join(os.WriteFile(filepath.Join(dir, configName), []byte(`{"currentContext":"theirs"}`), 0o600),
				os.Mkdir(filepath.Join(dir, lockName), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			file := u.memory(ours)
			u.must((&memory{Dir: u.dir, Name: ours}).save(file))
			u.must(hinder(u.dir))
			u.must(Forget(t.Context(), file))
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the memory is left behind: %v", err)
			}
		})
	}
	// But what was changed is not forgotten.
	u := newUser(t)
	file := u.memory(ours)
	u.must((&memory{Dir: u.dir, Name: ours, Made: true, Before: &before{Name: "theirs"}}).save(file))
	write(t, u.contexts.config.path, "{")
	if err := Forget(t.Context(), file); err == nil {
		t.Error("a configuration that can't be read may have our context")
	}
}
