// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestInterruptedSet: an interrupt ends the wait, but not the request.
func TestInterruptedSet(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	socket := filepath.Join(h.dir, "d.sock")
	set := h.spawn("rdd", "set", "running=true", "containerEngine.endpoint=unix://"+socket)
	set.says("ConnectFailed")
	if code := set.interrupt(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	set.says("Interrupted. The settings are kept")
	if strings.Contains(set.stderr.String(), "Error") {
		t.Errorf("an interrupt is no error: %s", set.stderr)
	}
	engine := fakedocker.New(fakedocker.Config{})
	t.Cleanup(engine.Close)
	if err := engine.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	h.ok("ctl", "wait-condition", "app/app", "Settled", "--timeout", "60s")
}

// TestSetOutlivesTheDaemon: a wait whose daemon is killed continues with the next
// one, and reports the wait in between.
func TestSetOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	socket := filepath.Join(h.dir, "d.sock")
	set := h.spawn("rdd", "set", "running=true", "containerEngine.endpoint=unix://"+socket)
	set.says("ConnectFailed")
	h.kill()
	set.says("waiting for the daemon, which does not answer")
	// With another address, too.
	taken, err := net.Listen("tcp", strings.TrimPrefix(h.config().Host, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	h.ok("service", "start")
	_ = taken.Close()
	engine := fakedocker.New(fakedocker.Config{})
	t.Cleanup(engine.Close)
	if err := engine.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	if code := set.wait(patience); code != 0 {
		t.Errorf("exit code %d: %s", code, set.stderr)
	}
	set.says("Settled: connected")
	// A daemon that does not come back ends the wait, long before its time is over.
	engine.Close()
	set = h.spawn("rdd", "set", "containerEngine.endpoint=unix:///nowhere", "--timeout", "1h")
	set.says("ConnectFailed")
	h.kill()
	if code := set.wait(patience); code != 1 {
		t.Errorf("exit code %d: %s", code, set.stderr)
	}
	set.says("the daemon has stopped: run `rdd service start`")
}

// TestSetMeetsADelete: an App that is deleted while it is waited for is an error
// at once.
func TestSetMeetsADelete(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	set := h.spawn("rdd", "set", "running=true", "containerEngine.endpoint=unix:///nowhere")
	set.says("ConnectFailed")
	h.ok("delete", "--yes")
	if code := set.wait(patience); code != 1 {
		t.Errorf("exit code %d", code)
	}
	set.says("the App was deleted during the wait")
}

// TestSetsAtTheSameTime: the App is made once, and every setting holds.
func TestSetsAtTheSameTime(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("service", "start")
	var setting sync.WaitGroup
	for _, assignment := range []string{"running=false", "virtualMachine.cpus=1", "virtualMachine.memory=3Gi", "application.updates.enabled=false"} {
		setting.Go(func() {
			if r := h.run("set", assignment); r.code != 0 {
				t.Errorf("%s: exit code %d: %s", assignment, r.code, r.stderr)
			}
		})
	}
	setting.Wait()
	spec := h.app().Spec
	if spec.VirtualMachine.CPUs != 1 || spec.VirtualMachine.Memory.String() != "3Gi" || *spec.Application.Updates.Enabled {
		t.Errorf("%+v", spec)
	}
}

// TestSeveralPropertiesAreOneWrite: there is no state between.
func TestSeveralPropertiesAreOneWrite(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false", "virtualMachine.cpus=1")
	if generation := h.app().Generation; generation != 1 {
		t.Errorf("generation %d after one set", generation)
	}
	h.ok("set", "virtualMachine.cpus=2", "virtualMachine.memory=3Gi", "virtualMachine.disk=200Gi")
	if generation := h.app().Generation; generation != 2 {
		t.Errorf("generation %d after two", generation)
	}
	h.fails(1, []string{"expected integer"}, "set", "virtualMachine.memory=5Gi", "virtualMachine.cpus=x")
	h.succeeds([]string{"The App was changed"}, "set", "--wait=false", "virtualMachine.cpus=1")
	if app := h.app(); app.Generation != 3 || app.Spec.VirtualMachine.Memory.String() != "3Gi" {
		t.Errorf("%+v", app.Spec)
	}
}
