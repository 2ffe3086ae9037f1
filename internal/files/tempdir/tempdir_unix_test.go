// SPDX-License-Identifier: Apache-2.0

//go:build unix

package tempdir

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	prefix = "rdd-test-"
	// makerEnv makes the test's program create a directory, and wait to be killed.
	makerEnv = "RDD_TEST_TEMPDIR"
)

func TestMain(m *testing.M) {
	if os.Getenv(makerEnv) != "" {
		d, err := New(prefix)
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString(d.Path + "\n")
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestSweep: creating a directory removes the one of a killed process; directories that
// are in use, another user's, or unrelated stay.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), makerEnv+"=1")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.TrimSpace(line)
	var stay []string
	put := func(name string, age time.Duration, stays bool) string {
		path := filepath.Join(parent, name)
		then := time.Now().Add(-age)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
		if stays {
			stay = append(stay, path)
		}
		return path
	}
	put("other-1", 48*time.Hour, true)
	put(prefix+"new", time.Hour, true)
	old := put(prefix+"old", 48*time.Hour, false)
	if os.Geteuid() == 0 {
		if err := os.Chown(put(prefix+"foreign", 48*time.Hour, true), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(parent, prefix+"link")
	if err := os.Symlink(put("target", 48*time.Hour, true), link); err != nil {
		t.Fatal(err)
	}
	stay = append(stay, link)

	ours, err := New(prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(stay, theirs, ours.Path) {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if exists(old) {
		t.Errorf("%s is there", old)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !exists(theirs) {
		t.Fatal("nothing was left: nothing is tested")
	}
	Sweep(prefix)
	if exists(theirs) {
		t.Errorf("%s of a killed process is there", theirs)
	}
	ours.Remove()
	if exists(ours.Path) {
		t.Errorf("%s is there", ours.Path)
	}
	for _, path := range stay {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
}

// TestBeside: directories that are created concurrently do not sweep each other.
func TestBeside(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				d, err := New(prefix)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				d.Remove()
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestWhereOthersWrite: in a directory that another user can replace, a template may
// not be the one that was checked.
func TestWhereOthersWrite(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	for mode, want := range map[fs.FileMode]bool{0o777: false, 0o777 | fs.ModeSticky: true} {
		if err := os.Chmod(parent, mode); err != nil {
			t.Fatal(err)
		}
		d, err := New(prefix)
		if err == nil {
			d.Remove()
		}
		if (err == nil) != want {
			t.Errorf("in a directory with mode %s: %v", mode, err)
		}
	}
}
