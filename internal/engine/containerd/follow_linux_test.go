// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watchers returns how many instances of inotify this process has.
func watchers(t *testing.T) int {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.Contains(target, "inotify") {
			n++
		}
	}
	return n
}

// follows checks that each of many files is followed, some of them twice.
func follows(t *testing.T, f *followers, files, most int) {
	t.Helper()
	type follower struct {
		path    string
		changed <-chan struct{}
	}
	var all []follower
	before := watchers(t)
	dir := t.TempDir()
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 1 + i%2 {
			changed, stop := f.follow(path)
			defer stop()
			all = append(all, follower{path, changed})
		}
	}
	if got := watchers(t) - before; got > most {
		t.Errorf("%d followers have %d watchers", len(all), got)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("more\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, follower := range all {
		select {
		case <-follower.changed:
		case <-time.After(time.Minute):
			t.Fatalf("a change of %s is not seen", follower.path)
		}
	}
}

// TestFollowers: 300 followers need one watcher, which ends with the last.
func TestFollowers(t *testing.T) {
	var f followers
	before := watchers(t)
	follows(t, &f, 200, 1)
	if left := watchers(t) - before; left != 0 {
		t.Errorf("%d watchers are left", left)
	}
	follows(t, &f, 2, 1) // again
}

// starvedEnv has the test binary run as a user of its own, so that no other
// program lacks watchers.
const starvedEnv = "RDD_TEST_STARVED"

// TestFollowersStarved: 300 followers work if the user has no watcher left.
func TestFollowersStarved(t *testing.T) {
	if os.Getenv(starvedEnv) == "" {
		asAnotherUser(t)
		return
	}
	taken := 0
	for ; taken < 1<<14; taken++ {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			break
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
	if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); err == nil {
		t.Skipf("%d watchers are not all", taken)
	}
	var f followers
	follows(t, &f, 200, 0)
}

// asAnotherUser runs the test again as a user who has no other program.
func asAnotherUser(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root runs programs as another user")
	}
	const user = 54321
	dir, err := os.MkdirTemp("", "rdd-starved-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test"), binary, 0o755)
	}
	if err := errors.Join(err, os.Chown(dir, user, user)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^TestFollowersStarved$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{starvedEnv + "=1", "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	output, err := cmd.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(output), "SKIP") {
		t.Skip("see above")
	}
}
