// SPDX-License-Identifier: Apache-2.0

//go:build unix

package moby

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeSSH puts an ssh first in the PATH that is a shell script. $PIDS is a file
// for the IDs of its processes.
func fakeSSH(t *testing.T, script string) (pids func() []int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte("#!/bin/sh\necho $$ >>$PIDS\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pids")
	t.Setenv("PIDS", file)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() []int {
		data, _ := os.ReadFile(file)
		var ids []int
		for _, field := range strings.Fields(string(data)) {
			if id, err := strconv.Atoi(field); err == nil && !errors.Is(syscall.Kill(id, 0), syscall.ESRCH) {
				ids = append(ids, id)
			}
		}
		return ids
	}
}

func dialSSH(t *testing.T, limit time.Duration) error {
	t.Helper()
	dialer, err := newSSHDialer(parsed(t, "ssh://u@host"))
	if err != nil {
		t.Fatal(err)
	}
	dialer.limit = limit
	defer dialer.close()
	_, err = dialer.dial(context.Background())
	return err
}

func TestSSHErrors(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"no login":        {"printf '1\\n2\\n3\\nu@host: Permission denied (publickey).\\r\\n' >&2; exit 255", "ssh to u@host: 2; 3; u@host: Permission denied (publickey)."},
		"no docker there": {"cat >/dev/null & echo 'bash: line 1: docker: command not found' >&2; exit 127", "ssh to u@host: bash: line 1: docker: command not found"},
		"nothing at all":  {"exit 0", "ssh to u@host: the docker command there ended without an answer"},
		"a greeting":      {"echo Welcome; exec cat >/dev/null", "malformed HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			running := fakeSSH(t, test.script)
			err := dialSSH(t, dialTimeout)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
			if left := running(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestSSHHangs: an ssh that says nothing is given up, and ends, also if a process
// of its own holds on to its output.
func TestSSHHangs(t *testing.T) {
	for name, script := range map[string]string{
		"ssh":   "exec sleep 1000",
		"child": "sleep 1000 & echo $! >$CHILD; exec sleep 1000",
	} {
		t.Run(name, func(t *testing.T) {
			child := filepath.Join(t.TempDir(), "child")
			t.Setenv("CHILD", child)
			t.Cleanup(func() {
				data, _ := os.ReadFile(child)
				if id, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
					_ = syscall.Kill(id, syscall.SIGKILL)
				}
			})
			running := fakeSSH(t, script)
			began := time.Now()
			err := dialSSH(t, 200*time.Millisecond)
			if err == nil || !strings.Contains(err.Error(), "ssh to u@host: no answer within 200ms") {
				t.Error(err)
			}
			if took := time.Since(began); took > sshEnd+2*time.Second {
				t.Errorf("it took %s", took)
			}
			if left := running(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestNoSSH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := infoError(t, Config{Endpoint: "ssh://u@host"})
	if err == nil || !strings.Contains(err.Error(), "the program ssh is needed, and is not in the PATH that rdd was started with") {
		t.Error(err)
	}
}

// TestForbiddenSocket: the words for who may not use a socket.
func TestForbiddenSocket(t *testing.T) {
	cause := fmt.Errorf("dial unix /s: %w", syscall.EACCES) // root may use any
	err := explainer{endpoint: "unix:///s"}.error(cause)
	if !strings.Contains(err.Error(), "unix:///s: permission denied: ") || !errors.Is(err, syscall.EACCES) {
		t.Error(err)
	}
}

// TestSSHEnds: the process of a connection that is in use ends with the engine,
// and no other is started.
func TestSSHEnds(t *testing.T) {
	running := fakeSSH(t, `while read -r line; do
  [ "$line" = "$(printf '\r')" ] && printf 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK'
done`)
	dialer, err := newSSHDialer(parsed(t, "ssh://u@host"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialer.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(running()); n != 1 {
		t.Fatalf("%d processes run, and there is one connection", n)
	}
	dialer.close()
	if left := running(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := dialer.dial(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a dial after the end: %v", err)
	}
}
