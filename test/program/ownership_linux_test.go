// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two users who have nothing else on the machine. The tests run as root.
const (
	alice   = 12345
	mallory = 12346
)

// as has a home's commands run as a user.
func (h *home) as(uid uint32) *home {
	h.t.Helper()
	if err := os.Chmod(programs, 0o755); err != nil {
		h.t.Fatal(err)
	}
	other := *h
	other.prepare = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		cmd.Dir = "/" // the home directory may be closed to the user
	}
	return &other
}

// give gives a directory and all that is in it to a user.
func give(t *testing.T, path string, uid int) {
	t.Helper()
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, uid))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot returns the mode, owner and content of everything below a directory.
func snapshot(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		line := path + " " + info.Mode().String()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			line += " " + strconv.Itoa(int(stat.Uid)) + ":" + strconv.Itoa(int(stat.Gid))
		}
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(content)
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (h *home) unchanged(dir string, before []string) {
	h.t.Helper()
	if after := snapshot(h.t, dir); !slices.Equal(before, after) {
		h.t.Errorf("%s had\n%s\nand has\n%s", dir, strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// everyCommand are commands that read an instance, and that write one.
var everyCommand = [][]string{
	{"status"}, {"service", "status"}, {"ps"}, {"ctl", "get", "namespaces"}, {"service", "config"}, {"service", "log"}, {"set", "running=true"}, {"start"},
	{"service", "create"}, {"service", "start"}, {"service", "serve"}, {"service", "stop"}, {"service", "reset"}, {"service", "delete"}, {"limavm", "list"},
}

// TestPlantedInstance: what another user put where the instance is to be is neither
// used, changed nor removed, whatever the command.
func TestPlantedInstance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode  fs.FileMode // of $XDG_DATA_HOME
		plant func(t *testing.T, dir string)
		says  []string
	}{
		"by another user": {0o777 | fs.ModeSticky, func(t *testing.T, dir string) { give(t, dir, mallory) },
			[]string{"belongs to uid 12346 (mode drwx------)", "runs as root"}},
		"only its token": {0o777 | fs.ModeSticky, func(t *testing.T, dir string) { give(t, filepath.Join(dir, "tls", "admin.token"), mallory) },
			[]string{"admin.token belongs to uid 12346 (mode -rw-------)"}},
		"only its keys": {0o777 | fs.ModeSticky, func(t *testing.T, dir string) { give(t, filepath.Join(dir, "tls"), mallory) },
			[]string{"tls belongs to uid 12346"}},
		"as a link": {0o755, func(t *testing.T, dir string) {
			if err := errors.Join(os.Rename(dir, dir+".elsewhere"), os.Symlink(dir+".elsewhere", dir)); err != nil {
				t.Fatal(err)
			}
		}, []string{"is a link to", ".elsewhere"}},
		"where all may write": {0o777, func(*testing.T, string) {}, []string{"can be written by other users", "chmod go-w"}},
		"where a group may":   {0o775, func(*testing.T, string) {}, []string{"can be written by other users", "chmod go-w"}},
		"where another may": {0o755, func(t *testing.T, dir string) {
			if err := os.Chown(filepath.Dir(dir), mallory, mallory); err != nil {
				t.Fatal(err)
			}
		}, []string{"belongs to uid 12346 (mode drwxr-xr-x), who can replace what is in it"}},
		"with a pipe": {0o755, func(t *testing.T, dir string) {
			if err := errors.Join(os.Remove(filepath.Join(dir, "args.json")), syscall.Mkfifo(filepath.Join(dir, "args.json"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, []string{"args.json is not a regular file (mode prw-------)"}},
		"with a hard link": {0o755, func(t *testing.T, dir string) {
			if err := os.Link(filepath.Join(dir, "tls", "admin.token"), filepath.Join(filepath.Dir(dir), "again")); err != nil {
				t.Fatal(err)
			}
		}, []string{"admin.token", "hard link"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			h := newHome(t, "XDG_DATA_HOME="+data)
			dir := h.path("dir")
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, "tls"), 0o700), os.Chmod(data, test.mode),
				os.WriteFile(filepath.Join(dir, "args.json"), []byte(`{"controllers":"*"}`), 0o600),
				os.WriteFile(filepath.Join(dir, "tls", "admin.token"), []byte("planted\n"), 0o600)); err != nil {
				t.Fatal(err)
			}
			test.plant(t, dir)
			before := snapshot(t, data)
			began := time.Now()
			for _, command := range everyCommand {
				h.fails(1, test.says, command...)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("the refusals took %s", took)
			}
			h.unchanged(data, before)
		})
	}
}

// TestForeignHome: root makes nothing in the home directory of another user, and
// neither does another user.
func TestForeignHome(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	give(t, h.dir, alice)
	before := snapshot(t, h.dir)
	writers := [][]string{{"start"}, {"set", "running=true"}, {"ps"}, {"ctl", "get", "namespaces"}, {"run", "true"}, {"limavm", "start", "x"},
		{"service", "create"}, {"service", "start"}, {"service", "serve"}, {"service", "config"}}
	for _, command := range writers {
		h.fails(1, []string{h.dir + " is the home directory (HOME), belongs to uid 12345", "runs as root", "without sudo", "sudo -H"}, command...)
	}
	for _, command := range [][]string{{"start"}, {"service", "create"}} {
		h.as(mallory).fails(1, []string{"belongs to uid 12345", "runs as uid 12346", "set HOME to a directory of uid 12346"}, command...)
	}
	h.fails(1, []string{"belongs to uid 12345", "sudo -H"}, "status")
	h.unchanged(h.dir, before)

	h.as(alice).ok("service", "create")
	before = snapshot(t, h.dir)
	for _, command := range everyCommand {
		h.fails(1, []string{"belongs to uid 12345", "sudo -H"}, command...)
	}
	h.unchanged(h.dir, before)
	h.as(alice).ok("status")
	h.as(alice).ok("service", "delete")
}

// TestNoHome: a user without a home directory gets an error that says so.
func TestNoHome(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	for home, says := range map[string]string{
		"/nonexistent/none":          "does not exist",
		filepath.Join(h.dir, "none"): "may not enter",
		"/":                          "belongs to root",
		"/dev/null":                  "is the home directory (HOME)",
	} {
		h.as(alice).withEnv("HOME="+home).fails(1, []string{home, says, "set HOME to a directory of uid 12345"}, "service", "start")
	}
	h.withEnv("HOME="+filepath.Join(h.dir, "none")).fails(1, []string{"does not exist", "set HOME"}, "service", "start")
	if files := h.files(); len(files) > 0 {
		t.Errorf("there are %v", files)
	}
}

// withEnv is the home with more in the environment.
func (h *home) withEnv(env ...string) *home {
	other := *h
	other.env = append(slices.Clone(h.env), env...)
	return &other
}

// TestFilesOfRoot: what root left in the home directory of a user is named, with the
// command that gives it back.
func TestFilesOfRoot(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	give(t, h.dir, alice)
	user := h.as(alice)
	user.ok("service", "create")
	for _, left := range []string{h.path("dir"), h.path("tls_dir"), h.path("args_file"), h.path("short_dir"), h.path("log_dir")} {
		if err := os.Lchown(left, 0, 0); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"status"}, {"service", "start"}, {"service", "delete"}} {
			user.fails(1, []string{left + " belongs to root", "after a start with sudo", "`sudo chown -R 12345:12345 "}, command...)
		}
		give(t, left, alice)
	}
	user.ok("service", "start")
	user.ok("service", "stop")
	give(t, filepath.Join(h.path("log_dir"), "rdd.stderr.log"), 0)
	user.fails(1, []string{"rdd.stderr.log belongs to root", "sudo chown -R 12345:12345 "}, "service", "start")
	give(t, h.path("log_dir"), alice)
	user.ok("service", "delete")
}

// TestSharedLogDir: logs in a directory that other users write, too, replace nothing
// of theirs, and nothing that they lead to.
func TestSharedLogDir(t *testing.T) {
	t.Parallel()
	logs, precious := filepath.Join(t.TempDir(), "logs"), filepath.Join(t.TempDir(), "precious")
	if err := errors.Join(os.Mkdir(logs, 0o700), os.Chmod(logs, 0o777|fs.ModeSticky), os.WriteFile(precious, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	h := newHome(t, "RDD_LOG_DIR="+logs)
	log := filepath.Join(logs, "rdd.stderr.log")
	if err := errors.Join(os.Symlink(precious, log), os.Lchown(log, mallory, mallory)); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{log + " belongs to uid 12346"}, "service", "start")
	if content, err := os.ReadFile(precious); err != nil || string(content) != "x" {
		t.Errorf("what it led to: %q, %v", content, err)
	}
	if err := errors.Join(os.Remove(log), syscall.Mkfifo(log, 0o600), os.Chown(log, mallory, mallory)); err != nil {
		t.Fatal(err)
	}
	h.fails(1, []string{log + " belongs to uid 12346"}, "service", "start")
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	h.ok("service", "start")
	h.ok("service", "delete")
	if err := errors.Join(os.Mkdir(logs, 0o700), os.Chmod(logs, 0o777)); err != nil { // it went with its last file
		t.Fatal(err)
	}
	h.fails(1, []string{"can be written by other users"}, "service", "start")
}

// TestPrivateGroup: where each user has a group of the same name, the user's
// directories that the group may write are the user's.
func TestPrivateGroup(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	local := filepath.Join(h.dir, ".local")
	if err := errors.Join(os.Mkdir(local, 0o700), os.Chmod(local, 0o775)); err != nil {
		t.Fatal(err)
	}
	give(t, h.dir, alice)
	etc := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(etc, "passwd"), []byte("root:x:0:0::/root:/bin/sh\nalice:x:12345:12345::/:/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(etc, "alone"), []byte("root:x:0:\nalice:x:12345:\n"), 0o644),
		os.WriteFile(filepath.Join(etc, "shared"), []byte("root:x:0:\nalice:x:12345:mallory\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	create := func(group string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		script := `mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/$2" /etc/group && shift 2 && exec setpriv --reuid 12345 --regid 12345 --clear-groups "$@"`
		cmd := h.command(ctx, "unshare", "--mount", "sh", "-c", script, "sh", etc, group, filepath.Join(programs, "rdd"), "service", "create")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if err := os.Chmod(programs, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := create("shared"); err == nil || !strings.Contains(out, local+" (owner alice (uid 12345), mode drwxrwxr-x) can be written by other users") {
		t.Errorf("of a group with others: %v\n%s", err, out)
	}
	if out, err := create("alone"); err != nil {
		t.Errorf("of a group of one's own: %v\n%s", err, out)
	}
}
