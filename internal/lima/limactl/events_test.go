// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEvents: the state after each line, as Lima 2.2 writes them.
func TestEvents(t *testing.T) {
	c := &Client{Home: t.TempDir()}
	if err := os.Mkdir(c.Dir("a"), 0o700); err != nil {
		t.Fatal(err)
	}
	events := c.Events("a")
	defer events.Close()
	check := func(want State) {
		t.Helper()
		if got, err := events.State(); err != nil || !got.Equal(want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	add := func(text string) {
		t.Helper()
		file, err := os.OpenFile(c.EventsFile("a"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err == nil {
			_, err = file.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
	}
	check(State{})
	add(`{"time":"2026-11-23T16:56:55Z","status":{"sshLocalPort":40735}}` + "\n")
	check(State{SSHLocalPort: 40735})
	add(`{"status":{"sshLocalPort":40735,"cloudInitProgress":{"active":true,"logLine":"…"}}}` + "\n" + `{"status":{"running":tr`)
	check(State{SSHLocalPort: 40735})
	add(`ue,"degraded":true,"errors":["mounts"],"sshLocalPort":40735}}` + "\n")
	check(State{Ready: true, Degraded: true, Errors: []string{"mounts"}, SSHLocalPort: 40735})
	add(`{"status":{"running":true,"portForward":{"type":"forwarding","protocol":"tcp"}}}` + "\n" + "no JSON\n")
	check(State{Ready: true, Degraded: true, Errors: []string{"mounts"}, SSHLocalPort: 40735})
	add(`{"status":{"running":true,"sshLocalPort":40735}}` + "\n")
	check(State{Ready: true, SSHLocalPort: 40735})
	add(`{"status":{"exiting":true}}` + "\n")
	check(State{Exiting: true, SSHLocalPort: 40735})
	if err := os.Remove(c.EventsFile("a")); err != nil { // a new start, whose file may get the same inode
		t.Fatal(err)
	}
	const long = `{"status":{"sshLocalPort":1,"cloudInitProgress":{"logLine":"0123456789012345678901234567890123456789"}}}` + "\n"
	add(strings.Repeat(long, 20))
	check(State{SSHLocalPort: 1})
}

// TestWhyEnded: the virtual machine's own messages, and QEMU's first.
func TestWhyEnded(t *testing.T) {
	for what, test := range map[string]struct {
		log  string
		want string
		kind Kind
	}{
		"no log":       {"", "otherwise", Failed},
		"a clean stop": {`{"level":"info","msg":"Shutting down the host agent"}` + "\n", "otherwise", Failed},
		"no KVM": {`{"level":"debug","msg":"qemu[stderr]: Could not access KVM kernel module: Permission denied"}
{"level":"debug","msg":"qemu[stderr]: qemu-system-x86_64: failed to initialize kvm: Permission denied"}
{"level":"info","msg":"Driver stopped due to error: ` + "`exit status 1`" + `"}
`, "Driver stopped due to error: `exit status 1`; Could not access KVM kernel module: Permission denied", NoKVM},
	} {
		t.Run(what, func(t *testing.T) {
			c := &Client{Home: t.TempDir()}
			if err := os.Mkdir(c.Dir("a"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.Dir("a"), bootLogFile), []byte(test.log), 0o600); err != nil {
				t.Fatal(err)
			}
			err := c.Ended("a", "otherwise")
			e := &Error{}
			if !errors.As(err, &e) || e.Message != test.want || e.Kind != test.kind {
				t.Errorf("%+v, want %q", e, test.want)
			}
		})
	}
}

// TestLastWords: limactl's error messages.
func TestLastWords(t *testing.T) {
	for log, want := range map[string]string{
		"": "",
		`{"level":"info","msg":"begins"}` + "\n" + `{"level":"fatal","msg":"the reason"}` + "\n" + `{"level":"info","msg":"ends"}`: "the reason",
		`{"level":"error","msg":"the reason"}` + "\n" + `{"level":"info","msg":"ends"}`:                                            "the reason",
		"Segmentation fault\n": "Segmentation fault",
	} {
		if got := lastWords([]byte(log)); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
