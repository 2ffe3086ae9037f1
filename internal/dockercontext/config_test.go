// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSwap: one value changes, and changes back, and everything else stays.
func TestSwap(t *testing.T) {
	for name, test := range map[string]struct{ before, from, after, back string }{
		"no file":     {"", "", "{\n\t\"currentContext\": \"new\"\n}\n", "{\n}\n"},
		"nothing":     {"{}", "", "{\n\t\"currentContext\": \"new\"\n}", "{\n}"},
		"empty":       {"\n", "", "{\n\t\"currentContext\": \"new\"\n}\n", "{\n}\n"},
		"the only":    {`{"currentContext":"old"}`, "old", `{"currentContext":"new"}`, ""},
		"the first":   {`{"currentContext":"old","a":1}`, "old", `{"currentContext":"new","a":1}`, ""},
		"the last":    {`{"a":1,"currentContext":"old"}`, "old", `{"a":1,"currentContext":"new"}`, ""},
		"between":     {`{"a":1, "currentContext" : "old" , "b":2}`, "old", `{"a":1, "currentContext" : "new" , "b":2}`, ""},
		"default":     {`{"a":1, "currentContext": "default"}`, "default", `{"a":1, "currentContext": "new"}`, ""},
		"in capitals": {`{"CURRENTCONTEXT":"old"}`, "old", `{"CURRENTCONTEXT":"new"}`, ""},
		"none, and others": {"{\n\t\"auths\": {\"x\": {\"currentContext\": \"no\"}},\n\t\"unknown\": [1.0, 1e3]\n}\n", "",
			"{\n\t\"currentContext\": \"new\",\n\t\"auths\": {\"x\": {\"currentContext\": \"no\"}},\n\t\"unknown\": [1.0, 1e3]\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := config{path: filepath.Join(t.TempDir(), configName)}
			if test.before != "" {
				write(t, c.path, test.before)
			}
			if done, err := c.swap("another", "new"); done || err != nil {
				t.Fatalf("from another: %v %v", done, err)
			}
			if done, err := c.swap(test.from, "new"); !done || err != nil {
				t.Fatal(done, err)
			}
			if got := read(t, c.path); got != test.after {
				t.Errorf("%q, want %q", got, test.after)
			}
			if done, err := c.swap("new", test.from); !done || err != nil {
				t.Fatal(done, err)
			}
			got := read(t, c.path)
			if want := cmp.Or(test.back, test.before); got != want {
				t.Errorf("back %q, want %q", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("no JSON: %s", got)
			}
			if current, err := c.current(); current != test.from || err != nil {
				t.Errorf("the current one is %q: %v", current, err)
			}
		})
	}
}

// TestMembersGo: a current context that is to be none goes, with one comma.
func TestMembersGo(t *testing.T) {
	for text, want := range map[string]string{
		`{"currentContext":"old"}`:                         `{}`,
		`{"currentContext":"old","a":1}`:                   `{"a":1}`,
		`{"a":1,"currentContext":"old"}`:                   `{"a":1}`,
		`{"a":1, "currentContext" : "old" , "b":2}`:        `{"a":1 , "b":2}`,
		"{\n\t\"currentContext\": \"old\",\n\t\"a\": 1\n}": "{\n\t\"a\": 1\n}",
	} {
		c := config{path: filepath.Join(t.TempDir(), configName)}
		write(t, c.path, text)
		if done, err := c.swap("old", ""); !done || err != nil {
			t.Fatal(done, err)
		}
		if got := read(t, c.path); got != want {
			t.Errorf("%s became %q, want %q", text, got, want)
		}
	}
}

// TestConfigsThatStay: what can't be read or written stays as it is.
func TestConfigsThatStay(t *testing.T) {
	for _, text := range []string{"[]", "{", `{"currentContext":5}`, "nonsense", `{"a":1}}{`,
		`{"currentContext":"","currentContext":""}`, `{"currentContext":"","CurrentContext":""}`} {
		c := config{path: filepath.Join(t.TempDir(), configName)}
		write(t, c.path, text)
		if done, err := c.swap("", "new"); done || err == nil || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v %v", text, done, err)
		}
		if got := read(t, c.path); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	c := config{path: filepath.Join(t.TempDir(), configName)}
	write(t, c.path, "{}")
	if err := os.Chmod(c.path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := c.swap("", "new"); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), c.path+": permission denied: it is read-only") {
		t.Errorf("read-only: %v", err)
	}
	if got := read(t, c.path); got != "{}" {
		t.Errorf("a read-only file became %s", got)
	}
}

// TestSymlink: the file that the name leads to is written, whether it is there
// or not, and the link stays.
func TestSymlink(t *testing.T) {
	for _, text := range []string{`{"a":1}`, ""} {
		dir := t.TempDir()
		target, link := filepath.Join(dir, "dotfiles.json"), filepath.Join(dir, configName)
		if text != "" {
			write(t, target, text)
		}
		if err := os.Symlink("dotfiles.json", link); err != nil {
			t.Skip(err)
		}
		if done, err := (config{path: link}).swap("", "new"); !done || err != nil {
			t.Fatal(done, err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link is gone: %v %v", info, err)
		}
		if got := read(t, target); !strings.Contains(got, `"new"`) {
			t.Errorf("its target has %s", got)
		}
	}
}

// TestModeStays: a change keeps the mode of the file.
func TestModeStays(t *testing.T) {
	c := config{path: filepath.Join(t.TempDir(), configName)}
	write(t, c.path, "{}")
	if err := os.Chmod(c.path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := c.swap("", "new"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(c.path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestOthersWriteToo: what another program writes at the same time is not lost, and
// counts: before the file is replaced, and in that very moment.
func TestOthersWriteToo(t *testing.T) {
	for name, hook := range map[string]func(*config, func()){
		"before":        func(c *config, f func()) { c.onRead = f },
		"in the moment": func(c *config, f func()) { c.onReady = f },
	} {
		t.Run(name, func(t *testing.T) {
			c := config{path: filepath.Join(t.TempDir(), configName)}
			if name == "in the moment" && !exchanges(t) {
				t.Skip("this file system can't exchange files")
			}
			write(t, c.path, `{"a":1}`)
			others := []string{`{"a":2}`, `{"a":3,"b":4}`}
			hook(&c, func() {
				if len(others) > 0 {
					write(t, c.path, others[0])
					others = others[1:]
				}
			})
			if done, err := c.swap("", "ours"); !done || err != nil {
				t.Fatal(done, err)
			}
			if got, want := read(t, c.path), "{\n\t\"currentContext\": \"ours\",\"a\":3,\"b\":4}"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			others = []string{`{"currentContext":"theirs"}`}
			if done, err := c.swap("ours", ""); done || err != nil {
				t.Errorf("what another program chose is changed: %v %v", done, err)
			}
			if got := read(t, c.path); got != `{"currentContext":"theirs"}` {
				t.Error(got)
			}
			n := 0
			write(t, c.path, `{}`)
			hook(&c, func() { n++; write(t, c.path, `{"n":`+strconv.Itoa(n)+`}`) })
			if done, err := c.swap("", "ours"); done || !errors.Is(err, errChanged) {
				t.Errorf("%v %v", done, err)
			}
			if got, want := read(t, c.path), `{"n":`+strconv.Itoa(n)+`}`; got != want {
				t.Errorf("what was written last is lost: %s, want %s", got, want)
			}
			leftAlone(t, filepath.Dir(c.path), configName)
		})
	}
}

// TestNewFile: a file that appears before is not overwritten.
func TestNewFile(t *testing.T) {
	c := config{path: filepath.Join(t.TempDir(), configName)}
	c.onReady = func() {
		c.onReady = nil
		write(t, c.path, `{"auths":{}}`)
	}
	c.onReady = sync.OnceFunc(c.onReady)
	if done, err := c.swap("", "ours"); !done || err != nil {
		t.Fatal(done, err)
	}
	if got := read(t, c.path); !strings.Contains(got, "auths") || !strings.Contains(got, "ours") {
		t.Error(got)
	}
}

// TestRewrittenInALoop: while another program counts in the file as fast as it
// can, as the client writes it, none of its numbers is lost.
func TestRewrittenInALoop(t *testing.T) {
	if !exchanges(t) {
		t.Skip("this file system can't exchange files")
	}
	c := config{path: filepath.Join(t.TempDir(), configName)}
	write(t, c.path, `{}`)
	ctx, cancel := context.WithCancel(t.Context())
	var counting sync.WaitGroup
	last := 0
	counting.Go(func() {
		for ctx.Err() == nil {
			last++
			if err := atomicfile.WriteVolatile(c.path, []byte(`{"counted":`+strconv.Itoa(last)+`}`), 0o600); err != nil {
				t.Error(err)
				return
			}
			// Taken away for an instant, it is put back.
			deadline := time.Now().Add(time.Second)
			for text := ""; !strings.Contains(text, `"counted":`+strconv.Itoa(last)+`}`); text = read(t, c.path) {
				if time.Now().After(deadline) {
					t.Errorf("%d was written, and there is %s", last, text)
					return
				}
			}
			time.Sleep(time.Duration(last%4) * time.Millisecond) // it does something else, too
		}
	})
	swapped := 0
	for deadline := time.Now().Add(time.Minute); swapped < 30 && !t.Failed(); {
		if time.Now().After(deadline) {
			t.Errorf("%d changes came through", swapped)
			break
		}
		if done, _ := c.swap("", "ours"); done { // it may well give up
			swapped++
		}
	}
	cancel()
	counting.Wait()
	t.Logf("%d changes, %d writes", swapped, last)
}

// exchanges reports whether the file system of the tests can exchange files.
func exchanges(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "a")
	write(t, filepath.Join(dir, "b"), "b")
	return exchange(filepath.Join(dir, "a"), filepath.Join(dir, "b")) == nil
}

// leftAlone checks what is in a directory.
func leftAlone(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("%s has %q, want %q", dir, names, want)
	}
}
