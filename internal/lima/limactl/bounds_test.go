// SPDX-License-Identifier: Apache-2.0

package limactl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLargeFiles: the client reads a bounded part of oversized files, and the last
// events count.
func TestLargeFiles(t *testing.T) {
	t.Parallel()
	c := &Client{Home: t.TempDir()}
	if err := os.Mkdir(c.Dir("a"), 0o700); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(c.Dir("a"), bootLogFile)
	events := c.Events("a")
	defer events.Close()
	check := func(what string, want State) {
		t.Helper()
		got, err := events.State()
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, want)
		}
		if kept := cap(events.tail.rest); kept > 4*maxLine {
			t.Errorf("%s: %d bytes of a line are kept", what, kept)
		}
	}
	write(t, c.EventsFile("a"), []byte(`{"status":{"sshLocalPort":7,"errors":["`))
	write(t, c.EventsFile("a"), bytes.Repeat([]byte("a"), 3*maxLine))
	check("a line that goes on", State{})
	write(t, c.EventsFile("a"), []byte(`"]}}`+"\n"+`{"status":{"sshLocalPort":8}}`+"\n"))
	check("after a line that is too long", State{SSHLocalPort: 8})
	sparse(t, c.EventsFile("a"), 1<<32) // a line of 4 GiB
	check("a huge line", State{SSHLocalPort: 8})
	write(t, c.EventsFile("a"), []byte("\n"+`{"status":{"running":true}}`+"\n"))
	check("after a huge line", State{Ready: true, SSHLocalPort: 8})

	write(t, logs, []byte(`{"level":"error","msg":"long ago"}`+"\n"))
	sparse(t, logs, 1<<32)
	write(t, logs, []byte("\n"+`{"level":"error","msg":"the reason"}`+"\n"))
	if why := c.WhyEnded("a"); why != "the reason" {
		t.Errorf("it ended because of %q", why)
	}
	write(t, logs, []byte(strings.Repeat(`{"level":"info","msg":"and so on"}`+"\n", maxEnd/20)))
	if why := c.WhyEnded("a"); why != "" {
		t.Errorf("it ended because of %q, before the last %d bytes", why, maxEnd)
	}
}

// sparse extends a file without using disk space.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}
