// SPDX-License-Identifier: Apache-2.0

//go:build unix

package mirror_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/instance"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/manager"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakedocker"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

const (
	// vmPoints is how many moments of the controllers' work are tried, of which
	// there are more with a virtual machine; and vmStride how many are left out
	// each time, as a boot takes its time.
	vmPoints = 200
	vmStride = 30
)

// TestSettledUnderAttackWithAMachine is [TestSettledUnderAttack] with an engine in a
// virtual machine, whose settings change too.
func TestSettledUnderAttackWithAMachine(t *testing.T) {
	t.Parallel()
	newMachine := func(t *testing.T) machine { return newMachine(t) }
	runScenarios(t, newMachine, vmPoints, vmStride, []scenario{
		{"stopped while it starts", []desired{{engine: 1}, {running: true, engine: 1}, {engine: 1}}},
		{"started while it stops", []desired{{running: true, engine: 1}, {engine: 1}, {running: true, engine: 1}}},
		{"another size while it gets one", []desired{{running: true, engine: 1}, {running: true, engine: 1, cpus: 2}, {running: true, engine: 1, cpus: 3}}},
		{"moved away while it gets another size", []desired{{running: true, engine: 1}, {running: true, engine: 1, cpus: 2}, {running: true, cpus: 2}}},
		{"moved back while it stops", []desired{{running: true}, {running: true, engine: 1}, {running: true}}},
	})
}

// limaMachine is a [machine] by limactl's stand-in.
type limaMachine struct {
	t          *testing.T
	instance   *instance.Instance
	controller manager.Controller
}

func newMachine(t *testing.T) *limaMachine {
	t.Helper()
	home, err := os.MkdirTemp("", "rdd-h-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) }) // what runs of a virtual machine ends with its directory
	if err := stage.Build(home, "../fakelimactl"); err != nil {
		t.Fatal(err)
	}
	m := &limaMachine{t: t}
	if m.instance, err = instance.In("test", home, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	if err := m.instance.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	m.controller = lima.Controller(lima.Config{
		Limactl: limactl.Places{Path: home}, Home: m.instance.LimaHome(), LogDir: m.instance.LogDir(), Clock: clock.RealClock{},
		Boot: patience, Stop: patience, Delete: patience,
		FirstPause: 10 * time.Millisecond, LongestPause: 50 * time.Millisecond, Stable: time.Hour,
	})
	return m
}

func (m *limaMachine) of() (*instance.Instance, manager.Controller) { return m.instance, m.controller }

func (m *limaMachine) hold(engine *fakedocker.Server) {
	m.t.Helper()
	stage.Set(m.t, m.instance.LimaHome(), stage.Faults{
		BootMS:  100,
		Engines: map[string]string{"/run/docker.sock": strings.TrimPrefix(engine.Endpoint(), "unix://")},
	})
}

func (m *limaMachine) compare(t *testing.T, w desired) {
	tool := limactl.Client{Home: m.instance.LimaHome()}
	runs := tool.Processes("rd").Driver.PID != 0
	if wanted := w.running && w.engine == 1; runs != wanted {
		t.Errorf("Settled is said of %+v, and the virtual machine runs: %t", w, runs)
	}
	if !runs {
		return
	}
	template, err := os.ReadFile(filepath.Join(tool.Dir("rd"), "lima.yaml"))
	if want := fmt.Sprintf("cpus: %d\n", max(w.cpus, 1)); err != nil || !strings.Contains(string(template), want) {
		t.Errorf("Settled is said of %+v, and the template is %s (%v)", w, template, err)
	}
}
