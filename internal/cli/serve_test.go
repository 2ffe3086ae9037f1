// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/command"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/fault"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
)

// TestLastWord: the reason of the daemon's end is one line, and keeps its exit code.
func TestLastWord(t *testing.T) {
	inst, err := instance.In("x", t.TempDir(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	newer := fault.New(fault.Version, "open", "store.db", errors.New("newer"))
	for _, test := range []struct {
		err  error
		line string
		code int
	}{
		{errors.New("gone"), "Error: gone\n", fault.ExitFailed},
		{fmt.Errorf("waiting for crds: %w", errors.Join(errors.New("too late"), errors.New("refused"))), "Error: waiting for crds: too late; refused\n", fault.ExitFailed},
		{newer, "Error: open store.db: newer\n", fault.ExitVersion},
	} {
		var said bytes.Buffer
		run := serveRun{env: &env{Base: &command.Base{Stderr: &said}}, instance: inst}
		if code := run.lastWord(test.err); code != test.code || said.String() != test.line {
			t.Errorf("%q: exit code %d, %q; want %d, %q", test.err, code, said.String(), test.code, test.line)
		}
	}
}
