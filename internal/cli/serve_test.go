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

// TestLastWord: the error that ends the daemon is logged as one line, and keeps its exit
// code.
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
		var stderr bytes.Buffer
		run := serveRun{env: &env{Base: &command.Base{Stderr: &stderr}}, instance: inst}
		if code := run.lastWord(test.err); code != test.code || stderr.String() != test.line {
			t.Errorf("%q: exit code %d, %q; want %d, %q", test.err, code, stderr.String(), test.code, test.line)
		}
	}
}
