// SPDX-License-Identifier: Apache-2.0

package program_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	appv1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/app/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
)

// TestDryRunLeavesNothing: if there was no instance there is none after it, and
// if no daemon ran none runs.
func TestDryRunLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	instance := func() []string {
		return slices.DeleteFunc(h.files(), func(path string) bool { return !strings.Contains(path, h.name) })
	}
	h.succeeds([]string{"Nothing was changed"}, "set", "--dry-run", "running=true")
	h.fails(1, []string{"expected boolean"}, "set", "--dry-run", "running=maybe")
	h.fails(4, nil, "set", "--dry-run", "running=true", "--timeout", "1ms")
	if left := instance(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	h.ok("set", "running=false")
	h.ok("service", "stop")
	h.succeeds([]string{"Nothing was changed"}, "set", "--dry-run", "running=true")
	h.fails(3, []string{"cpus"}, "set", "--dry-run", "virtualMachine.cpus=100000")
	if h.alive() {
		t.Error("a dry run left a daemon running")
	}
	h.ok("service", "start")
	h.ok("set", "--dry-run", "running=true")
	if !h.alive() {
		t.Error("a dry run ended a daemon that ran")
	}
	if app := h.app(); app.Generation != 1 || app.Spec.Running {
		t.Errorf("a dry run changed the App: %+v", app)
	}
}

// TestStopThatDoesNotWait leaves the daemon running for the request: a daemon that was
// started for it continues until the request is done, even after the timeout.
func TestStopThatDoesNotWait(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	engine := fakedocker.New(fakedocker.Config{})
	t.Cleanup(engine.Close)
	socket := filepath.Join(h.dir, "d.sock")
	if err := engine.ListenUnix(socket); err != nil {
		t.Fatal(err)
	}
	h.ok("set", "running=true", "containerEngine.endpoint=unix://"+socket)
	h.ok("service", "stop")
	h.ok("stop", "--wait=false")
	if !h.alive() {
		t.Fatal("there is no daemon to do it")
	}
	h.ok("ctl", "wait-condition", "app/app", "Settled", "--timeout", "60s")
	app := h.app()
	if ready := apimeta.FindStatusCondition(app.Status.Conditions, appv1alpha1.ConditionContainerEngineReady); app.Spec.Running || ready.Reason != "Stopped" {
		t.Errorf("%+v", ready)
	}
	h.ok("service", "stop")
	h.ok("stop")
	if h.alive() {
		t.Error("a stop left a daemon running, and nothing to do")
	}
}

// TestVisitorsDaemonIsKept: a daemon that a command has started for itself alone is
// not ended under others who have come to need it.
func TestVisitorsDaemonIsKept(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.ok("set", "running=false")
	h.ok("ctl", "patch", "app", "app", "--type=json", "-p", `[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/held"}]`)
	h.ok("service", "stop")
	visitor := h.spawn("rdd", "delete", "--yes")
	visitor.says("waiting for the deletion of the App")
	h.ok("service", "start")
	h.ok("ctl", "patch", "app", "app", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	if code := visitor.wait(patience); code != 0 {
		t.Errorf("exit code %d: %s", code, visitor.stderr)
	}
	if !h.alive() {
		t.Error("the daemon was ended under those who had started it again")
	}
}
