// SPDX-License-Identifier: Apache-2.0

//go:build unix

package lima_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	limav1alpha1 "github.com/rancher-sandbox/rancher-desktop-daemon/api/lima/v1alpha1"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima"
	"github.com/rancher-sandbox/rancher-desktop-daemon/internal/lima/limactl"
	"github.com/rancher-sandbox/rancher-desktop-daemon/test/fakelimactl/stage"
)

// TestLife: made, started, stopped, started again, deleted, with its logs kept.
func TestLife(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{CreateMS: 100, BootMS: 3000})
	e.create(true)
	e.waitCreated(limav1alpha1.ReasonPending, "")
	vm := e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
	if p := vm.Status.Progress; p == nil || p.Phase != limav1alpha1.PhaseBooting || p.Percent == nil || *p.Percent < 10 {
		t.Errorf("the progress of the boot is %+v", p)
	}
	vm = e.started()
	own := &corev1.ConfigMap{}
	e.must(e.kube.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: vm.Status.TemplateConfigMap}, own))
	if !metav1.IsControlledBy(own, vm) || vm.Status.ObservedTemplateResourceVersion != own.ResourceVersion {
		t.Errorf("the template is not the LimaVM's own: %+v, %+v", own.ObjectMeta, vm.Status)
	}
	if s := vm.Status; s.SSHAddress != "127.0.0.1:40735" || s.Progress != nil || s.RestartCount != 0 ||
		len(s.Sockets) != 1 || s.Sockets[0].Host != e.file("sock/docker.sock") {
		t.Errorf("the status is %+v", s)
	}
	e.must(e.kube.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: source}}))
	e.setRunning(false)
	e.stopped()
	e.asked("stop "+name, 1)
	e.setRunning(true)
	if vm := e.started(); vm.Status.RestartCount != 0 {
		t.Errorf("a stop and a start count as %d restarts", vm.Status.RestartCount)
	}
	e.asked("create", 1)
	e.asked("start", 2)
	e.asked("edit", 0)
	e.delete()
	kept, err := os.ReadFile(filepath.Join(e.cfg.LogDir, "rdd.lima."+name+".ha.stderr.log"))
	if err != nil || !strings.Contains(string(kept), "READY") {
		t.Errorf("its log is not kept: %v: %s", err, kept)
	}
}

// TestStoppedFromTheStart is made, and not started.
func TestStoppedFromTheStart(t *testing.T) {
	e := newEnv(t)
	e.create(false)
	e.stopped()
	e.asked("create", 1)
	e.asked("start", 0)
	e.delete()
}

// TestAdoption: what runs when the controller starts is left as it is.
func TestAdoption(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	agent := e.process("ha.pid")
	e.stop()
	if !agent.Alive() {
		t.Fatal("the virtual machine has ended with the controller")
	}
	calls := len(e.calls())
	e.start()
	e.patch(func(vm *limav1alpha1.LimaVM) { vm.Spec.Params = map[string]string{"ENGINE": "moby"} }) // what it is already
	e.started()
	if now := e.calls(); len(now) != calls || e.process("ha.pid") != agent {
		t.Errorf("it was not left alone: %q", now[calls:])
	}
	e.kill("qemu.pid") // it is watched as one that was started here
	e.eventually("it is started again", func() bool { return e.count("start") == 2 })
	e.started()
}

// TestControllerEndsDuringBoot: the boot continues, and the next controller awaits
// its end.
func TestControllerEndsDuringBoot(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{BootMS: 2000})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
	agent := e.process("ha.pid")
	e.stop()
	e.start()
	vm := e.started()
	if e.process("ha.pid") != agent || vm.Status.RestartCount != 0 {
		t.Errorf("another boot: %+v", vm.Status)
	}
	e.asked("start", 1)
	e.asked("stop", 0)
}

// TestControllerEndsDuringCreation: a partial creation is repeated.
func TestControllerEndsDuringCreation(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{CreateMS: 60_000})
	e.create(true)
	e.eventually("it is being made", func() bool { _, err := os.Stat(e.file("lima-version")); return err == nil })
	e.stop()
	e.faults(stage.Faults{})
	e.start()
	e.started()
	e.asked("create", 2)
}

// TestRestartRequested: a new value of the annotation is one restart.
func TestRestartRequested(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	ask := func(value string) {
		e.patch(func(vm *limav1alpha1.LimaVM) {
			vm.Annotations = map[string]string{limav1alpha1.RestartAnnotation: value}
		})
	}
	ask("one")
	e.eventually("it is started again", func() bool { return e.get().Status.RestartCount == 1 })
	if vm := e.started(); vm.Status.ObservedRestartRequest != "one" {
		t.Errorf("the request is not noted: %+v", vm.Status)
	}
	e.stop()
	e.start() // the same value again
	e.setRunning(false)
	e.stopped()
	ask("two") // there is nothing to restart
	e.eventually("the request is noted", func() bool { return e.get().Status.ObservedRestartRequest == "two" })
	e.setRunning(true)
	e.started()
	e.asked("start", 3)
	e.asked("stop", 2)
}

// TestTemplateChanges: an edit of the copy, or of the parameters, is applied and
// restarts it once; a template that limactl rejects is not applied, and the status has the reason.
func TestTemplateChanges(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	e.started()
	applied := func(version string) {
		t.Helper()
		e.eventually("the template is applied", func() bool { return e.get().Status.ObservedTemplateResourceVersion == version })
	}
	version := e.setTemplate(template + "cpus: 4\n")
	applied(version)
	e.started()
	e.asked("edit", 1)
	e.asked("start", 2)
	if text, _ := os.ReadFile(e.file("lima.yaml")); !strings.Contains(string(text), "cpus: 4") {
		t.Errorf("lima.yaml is %s", text)
	}
	e.patch(func(vm *limav1alpha1.LimaVM) { vm.Spec.Params = map[string]string{"ENGINE": "containerd"} })
	vm := e.started()
	if text, _ := os.ReadFile(e.file("lima.yaml")); !strings.Contains(string(text), `ENGINE: "containerd"`) || vm.Status.RestartCount != 2 {
		t.Errorf("%d restarts, lima.yaml is %s", vm.Status.RestartCount, text)
	}
	applied(e.setTemplate("# a comment\n" + template + "cpus: 4\n"))
	e.asked("start", 3)

	for word, reason := range map[string]string{stage.Rejected: "field `images`", stage.RejectedNow: "shrinking the disk"} {
		rejected := e.setTemplate(template + "message: " + word + "\n")
		e.eventually("it is rejected", func() bool { return strings.Contains(e.get().Status.TemplateError, reason) })
		if vm := e.started(); vm.Status.ObservedTemplateResourceVersion == rejected {
			t.Errorf("what is rejected is said to be applied: %+v", vm.Status)
		}
	}
	e.asked("start", 3)
	e.asked("edit", 2)
	applied(e.setTemplate(template + "cpus: 4\n"))
	if vm := e.get(); vm.Status.TemplateError != "" {
		t.Errorf("an error stays: %s", vm.Status.TemplateError)
	}
	e.asked("start", 3)
}

// TestTemplateChangesDuringBoot: the boot is not waited for.
func TestTemplateChangesDuringBoot(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{Boot: stage.BootHangs})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
	e.faults(stage.Faults{})
	e.setTemplate(template + "cpus: 4\n")
	vm := e.started()
	e.asked("stop -f", 1)
	e.asked("edit", 1)
	if vm.Status.RestartCount != 1 {
		t.Errorf("%d restarts", vm.Status.RestartCount)
	}
}

// TestStopDuringBoot is at once.
func TestStopDuringBoot(t *testing.T) {
	e := newEnv(t)
	e.faults(stage.Faults{Boot: stage.BootHangs})
	e.create(true)
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStarting, "essential requirement")
	agent := e.process("ha.pid")
	began := time.Now()
	e.setRunning(false)
	e.stopped()
	if agent.Alive() || time.Since(began) > patience/2 {
		t.Errorf("it still boots, after %s", time.Since(began))
	}
	e.asked("stop "+name, 0)
	if vm := e.get(); vm.Status.RestartCount != 0 {
		t.Errorf("%+v", vm.Status)
	}
}

// TestStopHangs: it is ended by force when its time is over.
func TestStopHangs(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) { cfg.Stop, cfg.Delete = 200*time.Millisecond, 200*time.Millisecond })
	e.faults(stage.Faults{StopHangs: true})
	e.create(true)
	e.started()
	e.setRunning(false)
	e.stopped()
	e.asked("stop -f", 1)
	if _, err := os.Stat(e.file("sock/docker.sock")); !os.IsNotExist(err) {
		t.Errorf("the forwarded socket is left behind: %v", err)
	}
	e.setRunning(true)
	e.started()
	e.delete()
	e.asked("stop "+name, 2)
	e.asked("stop -f", 2)
}

// TestReset: another virtual machine takes the place of the one that runs, of one
// that is being made, and of one that is stopped.
func TestReset(t *testing.T) {
	e := newEnv(t)
	e.create(true)
	vm := e.started()
	reset := func(request string) {
		t.Helper()
		e.patch(func(vm *limav1alpha1.LimaVM) {
			vm.Annotations = map[string]string{limav1alpha1.ResetAnnotation: request}
		})
		e.eventually("the reset "+request+" is done", func() bool { return e.get().Status.ObservedResetRequest == request })
	}
	agent, driver := e.process("ha.pid"), e.process("qemu.pid")
	e.must(os.WriteFile(e.file("disk"), []byte("what is lost"), 0o600))
	reset("1")
	again := e.started()
	disk, err := os.ReadFile(e.file("disk"))
	if err != nil || string(disk) != "disk" || agent.Alive() || driver.Alive() {
		t.Errorf("it is the same: %v %q, host agent %t, driver %t", err, disk, agent.Alive(), driver.Alive())
	}
	if again.UID != vm.UID || again.Status.RestartCount != 0 || !again.Status.StartedAt.After(vm.Status.StartedAt.Time) {
		t.Errorf("was %+v, is %+v", vm.Status, again.Status)
	}
	e.asked("create", 2)

	e.faults(stage.Faults{CreateMS: 60_000})
	reset("2") // done when the one before is gone
	e.eventually("the next is being made", func() bool { return e.count("create") == 3 })
	e.faults(stage.Faults{})
	reset("3")
	e.started()
	e.setRunning(false)
	e.stopped()
	starts := e.count("start")
	reset("4")
	e.eventually("it is made again", func() bool { return e.count("create") == 5 })
	e.stopped()
	e.asked("start", starts)
	e.delete()
}

// TestStoppedWithoutLimactl: a virtual machine that should not and does not run is stopped,
// though limactl is missing.
func TestStoppedWithoutLimactl(t *testing.T) {
	e := newEnv(t, func(cfg *lima.Config) { cfg.Limactl = limactl.Places{Path: t.TempDir()} })
	e.create(true)
	e.waitCreated(limav1alpha1.ReasonCreateFailed, "limactl")
	e.wait(metav1.ConditionFalse, limav1alpha1.ReasonStartFailed, "limactl")
	e.setRunning(false)
	e.stopped()
}
