// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// log returns what the daemon has logged.
func (h *home) log() string {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.path("log_dir"), "rdd.stderr.log"))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

// TestQuietLog: where nothing is wrong the log has no error, be it the first start or
// a later one, and the end as little.
func TestQuietLog(t *testing.T) {
	h := newHome(t)
	for range 4 { // the kinds are found before or after the policies
		h.ok("service", "start")
		h.ok("set", "running=false")
		h.ok("service", "stop")
		if log := h.log(); strings.Contains(log, "level=ERROR") {
			t.Errorf("the log of a daemon that nothing ailed:\n%s", log)
		}
	}
}

// TestForegroundLog: all that a daemon in the foreground says on standard error is in
// its log as well, and the reason of its end.
func TestForegroundLog(t *testing.T) {
	h := newHome(t)
	daemon := h.spawn("rdd", "service", "serve", "--log-level", "debug")
	h.eventually("the daemon is ready", func() (bool, string) { return h.status().Ready, "" })
	h.ok("service", "stop")
	<-daemon.done
	log := h.log()
	contains(t, log, "Starting Controller", "msg=waiting", "logger=") // the libraries', too
	if said := daemon.stderr.String(); said != log {
		t.Errorf("the log is not what was said:\n%s\n\n%s", log, said)
	}

	if err := os.Truncate(filepath.Join(h.path("dir"), "store.db"), 0); err != nil {
		t.Fatal(err)
	}
	said := h.fails(1, []string{"damaged"}, "service", "serve").stderr
	if log := h.log(); said != log {
		t.Errorf("the log is not what was said:\n%s\n\n%s", log, said)
	}
}
