// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
)

// newTest returns an instance in a home directory of its own.
func newTest(t *testing.T, name string) *Instance {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("LOCALAPPDATA", filepath.Join(home, "local"))
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv(LogDirEnv, "")
	t.Setenv(KeepLogsEnv, "")
	inst, err := New(name)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"2": true, "a": true, "dev": true, "a-b": true, "a--b": true, "0": true,
		"abcdefghijklmnopqrstuvwx":  true,  // 24
		"abcdefghijklmnopqrstuvwxy": false, // 25
		"-a":                        false,
		"a-":                        false,
		"A":                         false,
		"a_b":                       false,
		"a/b":                       false,
		"..":                        false,
		"a b":                       false,
		"ä":                         false,
		"a\n":                       false,
	} {
		_, err := New(name)
		if (err == nil) != ok {
			t.Errorf("New(%q) = %v", name, err)
		}
		if err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("New(%q): kind %v, want usage", name, fault.KindOf(err))
		}
	}
}

func TestNameFromEnvironment(t *testing.T) {
	t.Setenv(NameEnv, "")
	if inst, err := New(""); err != nil || inst.Name() != DefaultName {
		t.Errorf("no name: %v, %v", inst, err)
	}
	t.Setenv(NameEnv, "env")
	if inst, err := New(""); err != nil || inst.Name() != "env" {
		t.Errorf("name in the environment: %v, %v", inst, err)
	}
	if inst, err := New("flag"); err != nil || inst.Name() != "flag" {
		t.Errorf("flag over environment: %v, %v", inst, err)
	}
	t.Setenv(NameEnv, "Not OK")
	if _, err := New(""); fault.KindOf(err) != fault.Usage {
		t.Errorf("bad name in the environment: %v", err)
	}
}

// TestHomeIsAbsolute: otherwise each working directory would have its own instance.
func TestHomeIsAbsolute(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("HOME means nothing there")
	}
	t.Setenv("HOME", "somewhere")
	if inst, err := New("x"); err == nil || !strings.Contains(err.Error(), "somewhere") {
		t.Errorf("a home directory that is relative: %v, %v", inst, err)
	}
}

func TestPreferredPort(t *testing.T) {
	for name, want := range map[string]int{"0": 6443, "2": 6445, "57": 6500, "59092": 65535} {
		inst, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := inst.PreferredPort(); got != want {
			t.Errorf("port of %q = %d, want %d", name, got, want)
		}
	}
	for _, name := range []string{"dev", "a", "59093", "999999999999999999999999"} {
		inst, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := inst.PreferredPort(); got < 6543 || got > 7542 {
			t.Errorf("port of %q = %d, want 6443 + 100 + 0..999", name, got)
		}
	}
}

func TestLinuxDirs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("XDG directories are Linux's")
	}
	t.Setenv("HOME", "/home/u")
	t.Setenv(LogDirEnv, "")
	for _, test := range []struct{ data, state, dir, log string }{
		{"", "", "/home/u/.local/share/rancher-desktop-x", "/home/u/.local/state/rancher-desktop-x"},
		{"/d", "/s", "/d/rancher-desktop-x", "/s/rancher-desktop-x"},
		{"relative", "relative", "/home/u/.local/share/rancher-desktop-x", "/home/u/.local/state/rancher-desktop-x"},
	} {
		t.Setenv("XDG_DATA_HOME", test.data)
		t.Setenv("XDG_STATE_HOME", test.state)
		inst, err := New("x")
		if err != nil {
			t.Fatal(err)
		}
		if inst.Dir() != test.dir || inst.LogDir() != test.log || inst.ShortDir() != "/home/u/.rdx" {
			t.Errorf("%+v: dir %s, log dir %s, short dir %s", test, inst.Dir(), inst.LogDir(), inst.ShortDir())
		}
	}
	t.Setenv(LogDirEnv, "/var/tmp/logs")
	if inst, err := New("x"); err != nil || inst.LogDir() != "/var/tmp/logs" {
		t.Errorf("%s: %v, %v", LogDirEnv, inst, err)
	}
}

func TestLooseModesArePutRight(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	inst := newTest(t, "x")
	if err := os.MkdirAll(inst.TLSDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(inst.TLSDir(), "ca.key")
	if err := os.WriteFile(key, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{inst.Dir(): 0o700, inst.TLSDir(): 0o700, inst.LogDir(): 0o700, inst.ShortDir(): 0o700, key: 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestChosenLogDirKeepsItsModeAndFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	newTest(t, "x")
	logs := filepath.Join(t.TempDir(), "logs")
	t.Setenv(LogDirEnv, logs)
	inst, err := New("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(logs, "other.log")
	if err := os.WriteFile(foreign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(logs); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the chosen log directory: %v, %v", info.Mode(), err)
	}
	if err := inst.Remove(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a foreign file in the log directory is gone: %v", err)
	}
}

// TestLinkedDirectories: a directory of the instance that is a link is not used, and
// its target neither changed nor emptied; a link above the directories belongs to the
// user.
func TestLinkedDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	for name, path := range map[string]func(*Instance) string{
		"dir": (*Instance).Dir, "short_dir": (*Instance).ShortDir, "log_dir": (*Instance).LogDir,
		"tls_dir": (*Instance).TLSDir, "lima_home": (*Instance).LimaHome,
	} {
		t.Run(name, func(t *testing.T) {
			inst, target := newTest(t, "x"), t.TempDir()
			link, file := path(inst), filepath.Join(target, "precious")
			if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(target, link),
				os.WriteFile(file, nil, 0o644), os.Chmod(target, 0o755)); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{"Check": inst.Check(), "MakeDirs": inst.MakeDirs(), "Remove": inst.Remove(false)} {
				if err == nil || !strings.Contains(err.Error(), link+" is a link to") {
					t.Errorf("%s: %v; want that %s is a link", what, err, link)
				}
			}
			if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("the target: %v, %v", info, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("the file behind the link: %v, %v", info, err)
			}
		})
	}
	inst, disk := newTest(t, "x"), t.TempDir()
	local := filepath.Dir(filepath.Dir(inst.Dir()))
	if err := errors.Join(os.MkdirAll(filepath.Dir(local), 0o700), os.Symlink(disk, local)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(inst.MakeDirs(), inst.Check(), inst.Remove(false)); err != nil {
		t.Errorf("with %s on another disk: %v", local, err)
	}
}

// TestPlantedFiles: files in the instance's directories that other users may have
// created, or that block when read, are not read.
func TestPlantedFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such files there")
	}
	for name, test := range map[string]struct {
		path  func(*Instance) string
		plant func(path, elsewhere string) error
		says  string
	}{
		"linked token": {func(i *Instance) string { return filepath.Join(i.TLSDir(), "admin.token") },
			func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
		"dangling link": {(*Instance).ConfigFile,
			func(path, elsewhere string) error { return os.Symlink(elsewhere+"-none", path) }, "is a link to"},
		"hard link": {(*Instance).ConfigFile,
			func(path, elsewhere string) error { return os.Link(elsewhere, path) }, "hard link"},
		"store's log": {func(i *Instance) string { return i.StoreFile() + "-wal" },
			func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
		"linked log": {(*Instance).StderrLog,
			func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
		"linked socket": {(*Instance).DockerSocket,
			func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
		"lima's key": {func(i *Instance) string { return filepath.Join(i.LimaHome(), "_config", "user") },
			func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "is a link to"},
	} {
		t.Run(name, func(t *testing.T) {
			inst := newTest(t, "x")
			if err := inst.MakeDirs(); err != nil {
				t.Fatal(err)
			}
			path, elsewhere := test.path(inst), filepath.Join(t.TempDir(), "precious")
			if err := errors.Join(os.WriteFile(elsewhere, []byte("x"), 0o644), os.MkdirAll(filepath.Dir(path), 0o700),
				test.plant(path, elsewhere)); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{"Check": inst.Check(), "MakeDirs": inst.MakeDirs(), "Remove": inst.Remove(false)} {
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: %v; want %q about %s", what, err, test.says, path)
				}
			}
			if info, err := os.Stat(elsewhere); err != nil || info.Mode().Perm() != 0o644 || info.Size() != 1 {
				t.Errorf("the file elsewhere: %v, %v", info, err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	inst := newTest(t, "x")
	if exists, err := inst.Exists(); exists || err != nil {
		t.Fatalf("before creation: %v, %v", exists, err)
	}
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	want := Settings{Created: time.Now().UTC().Truncate(time.Second), Controllers: "containers,-engine", SecurePort: 7000}
	if err := inst.SaveSettings(want); err != nil {
		t.Fatal(err)
	}
	got, err := inst.LoadSettings()
	if err != nil || got != want {
		t.Errorf("loaded %+v, %v; want %+v", got, err, want)
	}
	if err := os.WriteFile(inst.ArgsFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := inst.LoadSettings(); err == nil || !strings.Contains(err.Error(), inst.ArgsFile()) {
		t.Errorf("damaged settings: %v, want an error that names the file", err)
	}
}

func TestDaemonLock(t *testing.T) {
	inst := newTest(t, "x")
	if alive, err := inst.Alive(); alive || err != nil {
		t.Fatalf("of no instance: %v, %v", alive, err)
	}
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	lock, err := inst.LockDaemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if alive, err := inst.Alive(); !alive || err != nil {
		t.Errorf("while locked: %v, %v", alive, err)
	}
	if _, err := inst.LockDaemon(t.Context()); !errors.Is(err, ErrRunning) {
		t.Errorf("second lock: %v, want %v", err, ErrRunning)
	}
	lock.Unlock()
	if alive, err := inst.Alive(); alive || err != nil {
		t.Errorf("after the lock: %v, %v", alive, err)
	}
}

// TestLookingNeverStopsADaemon: readers hold the lock for a moment, which a starting
// daemon must not take for another daemon.
func TestLookingNeverStopsADaemon(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := inst.Alive(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		lock, err := inst.LockDaemon(t.Context())
		if err != nil {
			t.Error(err)
			break
		}
		lock.Unlock()
	}
	cancel()
	wg.Wait()
}

func TestDaemonIsTrustedOnlyAsItself(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	lock, err := inst.LockDaemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d, err := inst.Daemon(); err != nil || d == nil || d.PID != 0 {
		t.Errorf("locked and not announced: %+v, %v", d, err)
	}
	if err := inst.Announce(Daemon{Version: "1", Ready: true}); err != nil {
		t.Fatal(err)
	}
	if d, err := inst.Daemon(); err != nil || d == nil || d.PID != os.Getpid() || !d.Ready {
		t.Errorf("announced: %+v, %v", d, err)
	}
	data, err := os.ReadFile(inst.PIDFile())
	if err != nil || strings.TrimSpace(string(data)) == "" {
		t.Errorf("PID file: %q, %v", data, err)
	}

	// The file of a stopped daemon, whose PID another process has now.
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Wait() }()
	stale := strings.NewReplacer(`"birth":"`, `"birth":"0`).Replace(readFile(t, inst.stateFile()))
	if err := os.WriteFile(inst.stateFile(), []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := inst.Daemon(); err != nil || d == nil || d.PID != 0 {
		t.Errorf("a stale file under a lock: %+v, %v; want an unknown daemon", d, err)
	}
	lock.Unlock()
	if d, err := inst.Daemon(); err != nil || d != nil {
		t.Errorf("a file and no lock: %+v, %v; want none", d, err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestStartLockOfARemovedInstance: a waiter for the lock must not get the lock of a
// file that was removed with the instance.
func TestStartLockOfARemovedInstance(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	first, err := inst.LockStart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		second, err := inst.LockStart(t.Context())
		if err == nil {
			second.Unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("locked twice: %v", err)
	case <-time.After(10 * lockPoll):
	}
	if err := inst.Remove(false); err != nil {
		t.Fatal(err)
	}
	first.Unlock()
	if err := <-got; !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock of a removed instance: %v, want that it does not exist", err)
	}
}

// TestLastWords: after a crash the reason is not a line of a stack trace; a daemon that
// logged its reason is believed.
func TestLastWords(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	stacks := "\n\ngoroutine 1 [running]:\n" + strings.Repeat("main.work(...)\n\t/src/main.go:8 +0x1d\n", 100_000) + "exit status 2\n"
	for text, want := range map[string]string{
		"":            "",
		"a\nlast\n\n": "last",
		"time=x msg=y\nfatal error: concurrent map writes" + stacks: "fatal error: concurrent map writes",
		"time=x msg=y\npanic: out of reach" + stacks:                "panic: out of reach",
		"panic: logged by a library\nError: the disk is gone\n":     "the disk is gone",
	} {
		if err := os.WriteFile(inst.StderrLog(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := inst.LastWords(); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func TestLogRotation(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		stdout, stderr, err := inst.OpenLogs()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = stdout.Close(), stderr.Close() }()
		if _, err := stderr.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	runs := []string{"a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n", "h one\nh two\n"}
	for _, text := range runs {
		write(text)
	}
	if got := inst.LastWords(); got != "h two" {
		t.Errorf("last line %q", got)
	}
	if got := readFile(t, inst.StderrLog()+".5"); got != "c\n" {
		t.Errorf("the oldest log has %q", got)
	}
	if _, err := os.Stat(inst.StderrLog() + ".6"); !os.IsNotExist(err) {
		t.Errorf("more logs are kept than five: %v", err)
	}
	t.Setenv(KeepLogsEnv, "1")
	write("i\n")
	if got := readFile(t, inst.StderrLog()+".6"); got != "c\n" {
		t.Errorf("with %s the oldest log has %q", KeepLogsEnv, got)
	}
}

// TestIn: an instance of another process is the one that the process itself finds.
func TestIn(t *testing.T) {
	own := newTest(t, "")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{NameEnv: "other", LogDirEnv: filepath.Join(home, "logs"),
		"XDG_DATA_HOME": filepath.Join(home, "data"), "LOCALAPPDATA": filepath.Join(home, "local")}
	other, err := In("", home, func(variable string) string { return environment[variable] })
	if err != nil {
		t.Fatal(err)
	}
	for variable, value := range environment {
		t.Setenv(variable, value)
	}
	if found, err := New(""); err != nil || *found != *other || *found == *own {
		t.Errorf("the process finds %+v, %v, and others find %+v", found, err, other)
	}
	if _, err := In("x", "relative", os.Getenv); err == nil {
		t.Error("a home directory may be relative")
	}
}

// TestLastFailure: a daemon that was not stopped is known to have failed, until the
// next one takes its lock.
func TestLastFailure(t *testing.T) {
	inst := newTest(t, "x")
	if err := inst.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	check := func(when string, want FailureKind) {
		t.Helper()
		failure, err := inst.LastFailure()
		got := FailureKind("")
		if failure != nil {
			got = failure.Kind
		}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %q", when, failure, err, want)
		}
	}
	check("there was none", "")
	for when, run := range map[string]struct {
		end  func() error
		want FailureKind
	}{
		"killed":                    {func() error { return inst.Announce(Daemon{Ready: true}) }, Crashed},
		"stopped":                   {func() error { return inst.Announce(Daemon{Stopping: true}) }, ""},
		"stopped early":             {func() error { return inst.Fail(Failure{Kind: StoppedEarly}) }, ""},
		"failed":                    {func() error { return inst.Fail(Failure{Kind: Failed, Message: "a\nb"}) }, Failed},
		"failed after it was ready": {func() error { return errors.Join(inst.Announce(Daemon{Ready: true}), inst.Fail(Failure{Kind: Failed})) }, Failed},
	} {
		lock, err := inst.LockDaemon(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		check("it has begun", "")
		if err := run.end(); err != nil {
			t.Fatal(err)
		}
		check("it lives", "")
		lock.Unlock()
		check(when, run.want)
		if ended, err := inst.Ended(); err != nil || ended == nil || ended.PID != os.Getpid() {
			t.Errorf("%s: %+v, %v", when, ended, err)
		} else if f := ended.Failure; f != nil && (f.Time == nil || strings.Contains(f.Message, "\n")) {
			t.Errorf("%s: %+v", when, f)
		}
	}
}
