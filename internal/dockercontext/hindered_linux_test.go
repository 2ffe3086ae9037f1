// SPDX-License-Identifier: Apache-2.0

package dockercontext

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/files/atomicfile"
)

// mount mounts until the test ends. Without the right to, the test is skipped.
func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	err := unix.Mount(source, target, kind, flags, options)
	if errors.Is(err, unix.EPERM) {
		t.Skip("mount(2) is not permitted here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestMounted: a configuration that is a bind mount, itself or behind a link,
// stays as it is, and the error says why and what to do; nothing keeps the
// context from being taken back.
func TestMounted(t *testing.T) {
	for _, linked := range []bool{false, true} {
		u := newUser(t)
		u.has("missing", "")
		path := u.contexts.config.path
		source := filepath.Join(t.TempDir(), "elsewhere.json")
		before := read(t, path)
		write(t, source, before)
		mounted := path
		if linked {
			mounted = filepath.Join(t.TempDir(), "target.json")
			write(t, mounted, "")
			u.must(os.Remove(path))
			u.must(os.Symlink(mounted, path))
		}
		mount(t, source, mounted, "", unix.MS_BIND, "")
		r := u.start(ours, u.memory(ours), nil)
		r.Want(&Target{Host: "unix:///nowhere"})
		err := r.settled()
		if !errors.Is(err, atomicfile.ErrMounted) {
			t.Fatalf("the error is %v", err)
		}
		for _, words := range []string{mounted, "mount point", "mount its directory instead", "DOCKER_CONTEXT=" + ours} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%q lacks %q", err, words)
			}
		}
		if !u.contexts.has(ours) || read(t, source) != before {
			t.Errorf("the context is not there, or the configuration was written: %s", read(t, source))
		}
		leftAlone(t, filepath.Dir(mounted), map[bool][]string{false: {configName, "contexts"}, true: {"target.json"}}[linked]...)
		r.down()
	}
}

// TestToldOnce: a failure that goes on is one line in the log and one change of
// the state, though each try has a temporary file of another name. The disk is
// full, so that the error is one about that file.
func TestToldOnce(t *testing.T) {
	for _, full := range []string{configName, "meta.json"} {
		u := newUser(t)
		mount(t, "none", u.dir, "tmpfs", 0, "size=64k")
		u.has("missing", "")
		if full == configName {
			u.must(u.contexts.put(t.Context(), ours, "of a test", "unix:///nowhere", nil))
		}
		filler, err := os.Create(filepath.Join(u.dir, "filler"))
		u.must(err)
		for err == nil {
			_, err = filler.Write(make([]byte, 4096))
		}
		u.must(filler.Close())
		var log bytes.Buffer
		changes := 0
		k, err := NewKeeper(Config{
			Name: ours, Description: "of a test", Dir: u.dir, Memory: u.memory(ours), Clock: realClock,
			Log: slog.New(slog.NewTextHandler(&log, nil)), Changed: func() { changes++ },
		})
		u.must(err)
		k.Want(&Target{Host: "unix:///nowhere"})
		for range 5 {
			if err := k.try(t.Context()); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), full+":") {
				t.Fatalf("the error is %v", err)
			}
		}
		if lines := strings.Count(log.String(), "level=WARN"); lines != 1 || changes != 1 {
			t.Errorf("%s: %d changes and %d lines:\n%s", full, changes, lines, &log)
		}
	}
}
