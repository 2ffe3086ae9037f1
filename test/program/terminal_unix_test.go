// SPDX-License-Identifier: Apache-2.0

//go:build unix

package program_test

import (
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// onTerminal starts rdd with a terminal of 60 columns. What it shows is said on
// standard output.
func (h *home) onTerminal(args ...string) (*process, io.Writer) {
	h.t.Helper()
	p := &process{h: h, name: "rdd", stdout: &said{}, stderr: &said{}, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(programs, "rdd"), args...)
	p.cmd.Env, p.cmd.Dir = append([]string{"TERM=xterm"}, h.env...), h.dir
	terminal, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: 60})
	if err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_, _ = io.Copy(p.stdout, terminal) // it fails when the program has ended (pty(7))
		_ = p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		p.kill()
		_ = terminal.Close()
		if h.t.Failed() {
			h.t.Logf("the terminal showed %q", p.stdout)
		}
	})
	return p, terminal
}

const (
	ctrlC     = "\x03"
	clearLine = "\r\x1b[K"
)

// TestWaitOnATerminal: a wait is one line that changes, with the time that has
// passed, and Ctrl-C ends it.
func TestWaitOnATerminal(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	set, keys := h.onTerminal("set", "running=true", "containerEngine.endpoint=unix:///nowhere/at/all/on/this/machine")
	set.prints("ConnectFailed: ")
	passed := regexp.MustCompile(` … ([2-9]|\d\d)s`) // a second may not be shown
	h.eventually("the time that has passed is shown", func() (bool, string) {
		text := set.stdout.String()
		return passed.MatchString(text), text
	})
	if _, err := io.WriteString(keys, ctrlC); err != nil {
		t.Fatal(err)
	}
	if code := set.wait(patience); code != 130 {
		t.Errorf("exit code %d", code)
	}
	shown := strings.Split(set.stdout.String(), clearLine)
	for _, line := range shown[:len(shown)-1] {
		line = strings.TrimSuffix(line, "^C") // what the terminal itself shows of the key
		if strings.Contains(line, "\n") || len([]rune(line)) > 59 {
			t.Errorf("the line moves on: %q", line)
		}
	}
	if last := shown[len(shown)-1]; !strings.HasPrefix(last, "Interrupted. The settings are kept") {
		t.Errorf("the last line is %q", last)
	}
	// A terminal that knows no such thing gets lines.
	h.env = append(h.env, "TERM=dumb")
	plain, _ := h.onTerminal("delete", "--yes")
	if code := plain.wait(patience); code != 0 || strings.Contains(plain.stdout.String(), "\x1b") {
		t.Errorf("exit code %d: %q", code, plain.stdout)
	}
}

// TestStatusOnATerminal: `rdd status --watch` shows each status on the same lines,
// with nothing left of the one before.
func TestStatusOnATerminal(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 12)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	watch, keys := h.onTerminal("status", "--watch")
	watch.prints("12 containers")
	h.ok("stop") // what is left to say is shorter
	watch.prints("desired state stopped")
	if _, err := io.WriteString(keys, ctrlC); err != nil {
		t.Fatal(err)
	}
	if code := watch.wait(patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	shown := strings.Split(strings.TrimSuffix(watch.stdout.String(), "^C"), "\x1b[H")
	if shown[0] != "" {
		t.Errorf("before the first status: %q", shown[0])
	}
	for _, screen := range shown[1:] {
		lines, ended := strings.CutSuffix(screen, "\x1b[J")
		for line := range strings.Lines(lines) {
			ended = ended && strings.HasSuffix(line, "\x1b[K\r\n")
		}
		if !ended {
			t.Errorf("something may be left of the status before: %q", screen)
		}
	}
}

// TestRunOnATerminal: Ctrl-C reaches the command, once, and rdd is not in between.
func TestRunOnATerminal(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine, _ := startEngine(t, 1)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	shell, keys := h.onTerminal("run", "sh", "-c",
		// A signal in the moment before a read would be caught after it.
		`trap 'n=$((n+1)); echo "caught $n"' INT; test -t 0 && echo "on a terminal"; while [ -z "$n" ]; do sleep 0.1; done; `+
			`read -r line; echo "read $line"; exit 5`)
	shell.prints("on a terminal")
	if _, err := io.WriteString(keys, ctrlC); err != nil {
		t.Fatal(err)
	}
	shell.prints("caught 1")
	if _, err := io.WriteString(keys, "words\n"); err != nil {
		t.Fatal(err)
	}
	shell.prints("read words")
	if code := shell.wait(patience); code != 5 || strings.Contains(shell.stdout.String(), "caught 2") {
		t.Errorf("exit code %d: %s", code, shell.stdout)
	}
}
