// SPDX-License-Identifier: Apache-2.0

//go:build unix

package limactl

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	testingclock "k8s.io/utils/clock/testing"
)

// fakeLimactl is a machine with a limactl that counts how often it is run.
type fakeLimactl struct {
	t *testing.T
	Places
	probe *Probe
	clock *testingclock.FakeClock
	root  string
	file  string
	runs  string
}

func newFakeLimactl(t *testing.T) *fakeLimactl {
	t.Helper()
	root, err := os.MkdirTemp("", "limactl") // a name that needs no quotes in a shell
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	p := Places{Path: filepath.Join(root, "bin"), Programs: filepath.Join(root, "rdd")}
	for _, dir := range []string{p.Path, p.Programs, filepath.Join(root, "dev")} {
		must(t, os.Mkdir(dir, 0o755))
	}
	clock := testingclock.NewFakeClock(time.Unix(1e9, 0))
	return &fakeLimactl{
		t: t, Places: p, clock: clock, root: root, file: filepath.Join(p.Path, "limactl"), runs: filepath.Join(root, "runs"),
		probe: &Probe{clock: clock, limit: time.Minute},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes it a script with the given content.
func (f *fakeLimactl) write(script string) { f.writeTo(f.file, script) }

func (f *fakeLimactl) writeTo(file, script string) {
	f.t.Helper()
	must(f.t, os.WriteFile(file, []byte("#!/bin/sh\necho run >>"+f.runs+"\n"+script+"\n"), 0o755))
}

func (f *fakeLimactl) look() Found { return f.probe.Look(f.t.Context(), f.Places) }

// check looks, and compares the result and the number of runs so far.
func (f *fakeLimactl) check(path, version, message string, runs int) {
	f.t.Helper()
	got := f.look()
	if got.Path != path || got.Version != version || !strings.Contains(got.Message, message) || (message == "") != (got.Message == "") {
		f.t.Errorf("%+v, want %q, %q, %q", got, path, version, message)
	}
	lines, err := os.ReadFile(f.runs)
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	if got := strings.Count(string(lines), "run"); got != runs {
		f.t.Errorf("limactl was run %d times, want %d", got, runs)
	}
}

// TestLimactlIsRunOnce, and again when the file has changed.
func TestLimactlIsRunOnce(t *testing.T) {
	f := newFakeLimactl(t)
	f.check("", "", "install Lima", 0)
	f.write(`[ "$*" = --version ] && echo limactl version 2.2.0`)
	f.check(f.file, "2.2.0", "", 1)
	f.check(f.file, "2.2.0", "", 1)
	f.clock.Step(2 * askAgain)
	f.check(f.file, "2.2.0", "", 1)

	f.write("echo limactl version 2.10.0")
	f.check(f.file, "2.10.0", "", 2)
	must(t, os.Chtimes(f.file, time.Time{}, time.Unix(1e9, 0)))
	f.check(f.file, "2.10.0", "", 3)

	must(t, os.Remove(f.file))
	f.check("", "", "install Lima", 3)
	f.write("echo limactl version 2.11.0")
	must(t, os.Chtimes(f.file, time.Time{}, time.Unix(1e9, 0)))
	f.check(f.file, "2.11.0", "", 4)
}

// TestLimactlThatFails is run again, but not at each look.
func TestLimactlThatFails(t *testing.T) {
	for script, message := range map[string]string{
		"echo must not run >&2; exit 1": `exit status 1: "must not run"`,
		"echo nonsense":                 `printed no version: "nonsense"`,
		"echo limactl version":          "printed no version",
		"exit 0":                        "printed no version",
		"kill -9 $$":                    "signal: killed",
	} {
		t.Run(script, func(t *testing.T) {
			f := newFakeLimactl(t)
			f.write(script)
			f.check(f.file, "", message, 1)
			f.clock.Step(askAgain - 1)
			f.check(f.file, "", message, 1)
			f.clock.Step(1)
			f.check(f.file, "", message, 2)
		})
	}
}

// TestLimactlThatHangs is killed, with all its children.
func TestLimactlThatHangs(t *testing.T) {
	f := newFakeLimactl(t)
	f.probe.limit = 200 * time.Millisecond
	fifo := filepath.Join(f.root, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	alive, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	must(t, err)
	defer func() { _ = alive.Close() }()
	f.write("exec 3>" + fifo + "; echo started >&3; sleep 1000 & sleep 1000")
	began := time.Now()
	f.check(f.file, "", "did not answer within 200ms", 1)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was given up after %s", took)
	}
	// The pipe ends when no process has it open for writing.
	must(t, alive.SetReadDeadline(time.Now().Add(20*time.Second)))
	if output, err := io.ReadAll(alive); string(output) != "started\n" || err != nil {
		t.Errorf("something still runs: %q, %v", output, err)
	}
}

// TestLimactlThatVanishes between being found and being run.
func TestLimactlThatVanishes(t *testing.T) {
	f := newFakeLimactl(t)
	if version, err := f.probe.ask(t.Context(), f.file); version != "" || err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%q, %v", version, err)
	}
}

func TestWhichLimactlIsFound(t *testing.T) {
	f := newFakeLimactl(t)
	t.Chdir(f.Path)
	beside, second := filepath.Join(f.Programs, "limactl"), filepath.Join(f.root, "dev/limactl")
	script := "echo limactl version 1"
	check := func(path, message string) {
		t.Helper()
		got := f.look()
		if got.Path != path || !strings.Contains(got.Message, message) {
			t.Errorf("%+v, want %q, %q", got, path, message)
		}
	}
	f.Path = "." + string(filepath.ListSeparator) + string(filepath.ListSeparator) + f.Path +
		string(filepath.ListSeparator) + filepath.Dir(second)

	f.writeTo(beside, script)
	check(beside, "")
	f.writeTo(second, script)
	check(second, "")
	f.write(script)
	check(f.file, "")
	must(t, os.Chmod(f.file, 0o600))
	check(second, "")

	f.Named = beside
	check(beside, "")
	f.Named = f.file
	check("", `RDD_LIMACTL is "`+f.file+`": permission denied`)
	f.Named = filepath.Join(f.root, "gone")
	check("", "no such file")
	f.Named = "limactl"
	check("", "must be an absolute path")
}
