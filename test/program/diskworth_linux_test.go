// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestListsOnAFullDisk: while the store can't be written the lists say on standard
// error that they may be old, and `rdd status` has it; both until there is room.
func TestListsOnAFullDisk(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	mount(t, data, 0, "size=24m")
	h := newHome(t, "XDG_DATA_HOME="+data)
	engine, _ := startEngine(t, 1)
	h.ok("set", "running=true", "containerEngine.endpoint="+engine.Endpoint())
	if r := h.run("ps"); r.stderr != "" {
		t.Errorf("with all well rdd ps says %q", r.stderr)
	}
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	for i := 0; ; i++ {
		r := h.run("ctl", "create", "configmap", fmt.Sprint("big-", i), "-n", "default", "--from-literal=x="+strings.Repeat("x", 100_000))
		if r.code != 0 {
			break
		}
		if i == 200 {
			t.Fatal("the disk never filled: nothing is tested")
		}
	}
	engine.AddContainers(1, fakedocker.ContainerOptions{Image: "busybox:latest", Running: true})
	h.saysOnStderr([]string{"can't write its store", "full", "may be stale"}, "ps")
	h.eventually("the status says it", func() (bool, string) {
		found := fmt.Sprint(h.findings())
		return strings.Contains(found, "store-not-writable"), found
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	h.eventually("the lists are current again", func() (bool, string) {
		r := h.run("ps")
		return r.stderr == "" && strings.Count(r.stdout, "busybox") == 2, r.stdout + r.stderr
	})
	if found := fmt.Sprint(h.findings()); strings.Contains(found, "store-not-writable") {
		t.Errorf("the status says %s", found)
	}
}
