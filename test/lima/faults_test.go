// SPDX-License-Identifier: Apache-2.0

//go:build unix

package lima_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// TestNoLimactl: each reason has a remedy, and the LimaVM can be deleted.
func TestNoLimactl(t *testing.T) {
	old := t.TempDir()
	if err := os.WriteFile(filepath.Join(old, "limactl"), []byte("#!/bin/sh\necho limactl version 1.2.3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		adjust func(*lima.Config)
		faults stage.Faults
		words  string
	}{
		"missing": {adjust: func(cfg *lima.Config) { cfg.Limactl = limactl.Places{} }, words: "install Lima"},
		"too old": {adjust: func(cfg *lima.Config) { cfg.Limactl = limactl.Places{Path: old} }, words: "install Lima 2.0.0 or newer"},
		"root":    {faults: stage.Faults{Root: true}, words: "not as root"},
	} {
		t.Run(what, func(t *testing.T) {
			adjust := test.adjust
			if adjust == nil {
				adjust = func(*lima.Config) {}
			}
			e := newEnv(t, adjust)
			e.faults(test.faults)
			e.create(true)
			e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed)
			e.waitCreated(limav1alpha1.ReasonCreateFailed, test.words)
			e.stalled(limav1alpha1.ReasonCreateFailed, test.words)
			e.delete()
		})
	}
}

// TestLimactlComes: it is installed later.
func TestLimactlComes(t *testing.T) {
	dir := t.TempDir()
	e := newEnv(t, func(cfg *lima.Config) { cfg.Limactl = limactl.Places{Path: dir} })
	e.create(true)
	e.waitCreated(limav1alpha1.ReasonCreateFailed, "install Lima")
	e.stalled(limav1alpha1.ReasonCreateFailed, "install Lima")
	e.must(os.Symlink(filepath.Join(programs, "limactl"), filepath.Join(dir, "limactl")))
	e.started()
	e.stalled("", "")
}

// TestStalled: a virtual machine that can't be made until its template or something
// outside changes is stalled, with the reason. Anything else is tried again, and is not.
func TestStalled(t *testing.T) {
	const url = "failed to download `https://example.com/vm.qcow2`: "
	slow := func(cfg *lima.Config) { cfg.FirstPause, cfg.LongestPause = time.Hour, time.Hour }
	for what, test := range map[string]struct {
		faults  stage.Faults
		reason  string // of Running
		stalled bool
	}{
		"no image at the URL":           {stage.Faults{CreateFails: url + "unexpected HTTP status Not Found, body=`gone`"}, limav1alpha1.ReasonStartFailed, true},
		"no image at the path":          {stage.Faults{CreateFails: "failed to download `/vm.qcow2`: stat /vm.qcow2: no such file or directory"}, limav1alpha1.ReasonStartFailed, true},
		"a download that breaks":        {stage.Faults{CreateFails: url + "unexpected EOF"}, limav1alpha1.ReasonStartFailed, false},
		"a server that is busy":         {stage.Faults{CreateFails: url + "unexpected HTTP status Service Unavailable, body=``"}, limav1alpha1.ReasonStartFailed, false},
		"one of two images unreachable": {stage.Faults{CreateFails: "[" + url + "unexpected HTTP status Not Found, body=`` " + url + "no route to host]"}, limav1alpha1.ReasonStartFailed, false},
		"a boot that fails":             {stage.Faults{Boot: stage.BootFails}, limav1alpha1.ReasonStartFailed, false},
	} {
		t.Run(what, func(t *testing.T) {
			e := newEnv(t, slow)
			e.faults(test.faults)
			e.create(true)
			vm := e.wait(metav1.ConditionFalse, test.reason)
			c := apimeta.FindStatusCondition(vm.Status.Conditions, limav1alpha1.ConditionStalled)
			if test.stalled != (c != nil && c.Status == metav1.ConditionTrue) {
				t.Fatalf("Stalled is %+v", c)
			}
			e.faults(stage.Faults{})
			e.patch(func(vm *limav1alpha1.LimaVM) { vm.Spec.Params = map[string]string{"ENGINE": "other"} })
			e.started()
			e.stalled("", "")
		})
	}
}

// TestStalledByTemplate: while a template is rejected a virtual machine that is as it
// was is stalled; one that stops or starts is not until it has.
func TestStalledByTemplate(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	for _, rejected := range []string{stage.Rejected, stage.RejectedNow} {
		e.setTemplate(template + "# " + rejected + "\nmessage: " + rejected + "\n")
		e.stalled(limav1alpha1.ReasonTemplateRejected, "")
	}
	e.setRunning(false)
	e.stopped()
	e.stalled(limav1alpha1.ReasonTemplateRejected, "")
	e.setTemplate(template)
	e.stalled("", "")
}

// TestStalledForGood: without limactl a deletion waits for that, and says so; a restart
// that is asked for tries at once again what failed.
func TestStalledForGood(t *testing.T) {
	dir := t.TempDir()
	e := newEnv(t, func(cfg *lima.Config) {
		cfg.Limactl, cfg.FirstPause, cfg.LongestPause = limactl.Places{Path: dir}, time.Hour, time.Hour
	})
	e.must(os.Symlink(filepath.Join(programs, "limactl"), filepath.Join(dir, "limactl")))
	e.faults(stage.Faults{CreateFails: "failed to download `/vm.qcow2`: no such file or directory"})
	e.create(true)
	e.stalled(limav1alpha1.ReasonCreateFailed, "no such file")
	e.faults(stage.Faults{})
	e.patch(func(vm *limav1alpha1.LimaVM) { vm.Annotations = map[string]string{limav1alpha1.RestartAnnotation: "1"} })
	e.started()
	e.setRunning(false)
	e.stopped()
	e.must(os.Remove(filepath.Join(dir, "limactl")))
	e.must(e.kube.Delete(t.Context(), e.get()))
	e.stalled(limav1alpha1.ReasonStopFailed, "install Lima")
	e.must(os.Symlink(filepath.Join(programs, "limactl"), filepath.Join(dir, "limactl")))
	e.eventually("it is gone", func() bool { return e.get() == nil })
}

// TestCreationFails half way, is reported, retried, and leaves nothing in the
// way.
func TestCreationFails(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{CreateFails: "failed to download the image: no route to host"})
	e.create(true)
	e.waitCreated(limav1alpha1.ReasonCreateFailed, "no route to host")
	e.eventually("it is tried again", func() bool { return e.count("create") > 2 })
	e.faults(stage.Faults{})
	e.started()
}

// TestBootFails: the reason is the virtual machine's own, and the next attempt
// may succeed.
func TestBootFails(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) { cfg.FirstPause, cfg.LongestPause = time.Second, time.Second })
	e.faults(stage.Faults{Boot: stage.BootFails})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed, "Could not set up the machine", "retrying")
	e.faults(stage.Faults{})
	if vm := e.started(); vm.Status.RestartCount == 0 {
		t.Errorf("%+v", vm.Status)
	}
}

// TestBootTimesOut: the remaining processes are ended.
func TestBootTimesOut(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) {
		cfg.Boot = time.Second
		cfg.FirstPause, cfg.LongestPause = time.Hour, time.Hour
	})
	e.faults(stage.Faults{Boot: stage.BootHangs})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
	agent, driver := e.process("ha.pid"), e.process("qemu.pid")
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed, "did not boot within 1s", "essential requirement 1")
	if agent.Alive() || driver.Alive() {
		t.Error("the boot goes on")
	}
	e.faults(stage.Faults{})
	e.patch(func(vm *limav1alpha1.LimaVM) { vm.Spec.Params = map[string]string{"ENGINE": "other"} }) // asks for something new
	e.started()
}

// TestDegraded: the virtual machine runs, and reports the part that does not work.
func TestDegraded(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{Boot: stage.BootDegraded})
	e.create(true)
	vm := e.wait(metav1.ConditionTrue, limav1alpha1.ReasonDegraded, "mounts are not there")
	if vm.Status.SSHAddress == "" {
		t.Errorf("%+v", vm.Status)
	}
	e.asked("start", 1)
	e.delete()
}

// TestDeath of each process: it is seen at once, and the machine started again.
func TestDeath(t *testing.T) {
	for file, words := range map[string]string{
		"ha.pid":   "the host agent exited",
		"qemu.pid": "Driver stopped due to error: `signal: killed`",
	} {
		t.Run(file, func(t *testing.T) {
			e := newEnv(t, func(cfg *lima.Config) { cfg.FirstPause, cfg.LongestPause = 2*time.Second, 2*time.Second })
			e.create(true)
			e.started()
			other := e.process("qemu.pid")
			e.kill(file)
			e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed, words, "retrying")
			if other.Alive() {
				t.Error("the virtual machine lives on")
			}
			if vm := e.started(); vm.Status.RestartCount != 1 {
				t.Errorf("%d restarts", vm.Status.RestartCount)
			}
			e.asked("start", 2)
		})
	}
}

// TestDiesWhileNobodyLooks: the next controller starts it again.
func TestDiesWhileNobodyLooks(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	e.stop()
	e.kill("ha.pid")
	e.kill("qemu.pid")
	e.start()
	e.eventually("it is started again", func() bool { return e.get().Status.RestartCount == 1 })
	e.started()
}

// TestRemovedBehindItsBack: it is made again.
func TestRemovedBehindItsBack(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	e.must(os.RemoveAll(e.file("")))
	e.eventually("it is made again", func() bool { return e.count("create") == 2 })
	e.started()
}

// TestCrashLoop: five failures are one, with the last reason; a new generation
// and a long run end it.
func TestCrashLoop(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) {
		cfg.FirstPause, cfg.LongestPause, cfg.Stable = 300*time.Millisecond, 300*time.Millisecond, 500*time.Millisecond
	})
	e.faults(stage.Faults{Boot: stage.BootFails})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonCrashLoop, "failed 5 times", "Could not set up the machine")
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonCrashLoop, "failed 7 times") // it goes on
	e.stalled("", "")
	e.setRunning(false)
	e.stopped()
	e.setRunning(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed) // counted anew
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonCrashLoop)
	e.faults(stage.Faults{})
	e.started()
	time.Sleep(2 * e.cfg.Stable) // nothing tells that failures are forgotten
	e.faults(stage.Faults{Boot: stage.BootFails})
	e.kill("qemu.pid")
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed)
}

// TestDeathsAreACrashLoop, too, where each start succeeds.
func TestDeathsAreACrashLoop(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{Boot: stage.BootDies})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonCrashLoop, "signal: killed")
}

// TestStopFails: the failure is reported, and retried.
func TestStopFails(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) { cfg.Stop = 100 * time.Millisecond })
	e.faults(stage.Faults{StopHangs: true, StopFails: true})
	e.create(true)
	e.started()
	e.setRunning(false)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStopFailed, "can't stop")
	e.faults(stage.Faults{})
	e.stopped()
}

// TestDeletion in each state.
func TestDeletion(t *testing.T) {
	for state, test := range map[string]struct {
		faults stage.Faults
		reach  func(*env)
	}{
		"creating": {stage.Faults{CreateMS: 60_000}, func(e *env) {
			e.eventually("it is being made", func() bool { return e.count("create") == 1 })
		}},
		"not made": {stage.Faults{CreateFails: "no"}, func(e *env) { e.waitCreated(limav1alpha1.ReasonCreateFailed, "no") }},
		"booting": {stage.Faults{Boot: stage.BootHangs}, func(e *env) {
			e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
		}},
		"looping": {stage.Faults{Boot: stage.BootFails}, func(e *env) { e.wait(metav1.ConditionFalse, limav1alpha1.ReasonCrashLoop) }},
		"broken": {stage.Faults{}, func(e *env) {
			e.started()
			e.stop()
			e.kill("ha.pid")
			e.must(e.kube.Delete(e.t.Context(), e.get()))
			e.start()
		}},
		"stopping": {stage.Faults{StopHangs: true}, func(e *env) {
			e.started()
			e.setRunning(false)
			e.eventually("it is being stopped", func() bool { return e.count("stop") == 1 })
		}},
	} {
		t.Run(state, func(t *testing.T) {
			e := newEnv(t, func(cfg *lima.Config) { cfg.Delete = 500 * time.Millisecond })
			e.faults(test.faults)
			e.create(true)
			test.reach(e)
			e.delete()
		})
	}
}

// TestDeletionFails: the failure is reported, and retried; the LimaVM stays.
func TestDeletionFails(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	e.faults(stage.Faults{DeleteFails: "instance is protected"})
	e.must(e.kube.Delete(t.Context(), e.get()))
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStopFailed, "instance is protected")
	e.faults(stage.Faults{})
	e.eventually("it is gone", func() bool { return e.get() == nil })
}
