// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
		"no file":   {"", "", "{\n\t\"currentContext\": \"new\"\n}\n", "{\n}\n"},
		"nothing":   {"{}", "", "{\n\t\"currentContext\": \"new\"\n}", "{\n}"},
		"the only":  {`{"currentContext":"old"}`, "old", "{\n\t\"currentContext\": \"new\"\n}", ""},
		"the first": {`{"currentContext":"old","a":1}`, "old", "{\n\t\"currentContext\": \"new\",\"a\":1}", ""},
		"the last":  {`{"a":1,"currentContext":"old"}`, "old", "{\n\t\"currentContext\": \"new\",\"a\":1}", ""},
		"between":   {`{"a":1, "currentContext" : "old" , "b":2}`, "old", "{\n\t\"currentContext\": \"new\",\"a\":1 , \"b\":2}", ""},
		"none set, others": {"{\n\t\"auths\": {\"x\": {\"currentContext\": \"no\"}},\n\t\"unknown\": [1.0, 1e3]\n}\n", "",
			"{\n\t\"currentContext\": \"new\",\n\t\"auths\": {\"x\": {\"currentContext\": \"no\"}},\n\t\"unknown\": [1.0, 1e3]\n}\n",
			"{\n\t\"auths\": {\"x\": {\"currentContext\": \"no\"}},\n\t\"unknown\": [1.0, 1e3]\n}\n"},
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
			if test.back != "" && got != test.back {
				t.Errorf("back %q, want %q", got, test.back)
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

// TestConfigsThatStay: what can't be read or written stays as it is.
func TestConfigsThatStay(t *testing.T) {
	for _, text := range []string{"[]", "{", `{"currentContext":5}`, "nonsense", `{"a":1}}{`} {
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
	if _, err := c.swap("", "new"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read-only: %v", err)
	}
}

// TestSymlink: the file that the name leads to is written, and the link stays.
func TestSymlink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "dotfiles.json"), filepath.Join(dir, configName)
	write(t, target, `{"a":1}`)
	if err := os.Symlink("dotfiles.json", link); err != nil {
		t.Skip(err)
	}
	if done, err := (config{path: link}).swap("", "new"); !done || err != nil {
		t.Fatal(done, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is no more: %v %v", info, err)
	}
	if got := read(t, target); !strings.Contains(got, `"new"`) {
		t.Errorf("its target has %s", got)
	}
}

// TestOthersWriteToo: what another program writes meanwhile is not lost, and
// counts.
func TestOthersWriteToo(t *testing.T) {
	c := config{path: filepath.Join(t.TempDir(), configName)}
	write(t, c.path, `{"a":1}`)
	others := []string{`{"a":2}`, `{"a":3,"b":4}`}
	c.changing = func() {
		if len(others) > 0 {
			write(t, c.path, others[0])
			others = others[1:]
		}
	}
	if done, err := c.swap("", "ours"); !done || err != nil {
		t.Fatal(done, err)
	}
	if got, want := read(t, c.path), "{\n\t\"currentContext\": \"ours\",\"a\":3,\"b\":4}"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	others = []string{`{"currentContext":"theirs"}`}
	if done, err := c.swap("ours", ""); done || err != nil {
		t.Errorf("what somebody else chose is changed: %v %v", done, err)
	}
	if got := read(t, c.path); got != `{"currentContext":"theirs"}` {
		t.Error(got)
	}
	n := 0
	c.changing = func() { n++; write(t, c.path, `{"n":`+strconv.Itoa(n)+`}`) }
	write(t, c.path, `{}`)
	if done, err := c.swap("", "ours"); done || err == nil || !strings.Contains(err.Error(), "other programs") {
		t.Errorf("%v %v", done, err)
	}
}
